"""How a model answers: the file, the picture, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import trapezoid
from sklearn.metrics import average_precision_score, roc_auc_score

from fdd_flower.errors import DataError
from fdd_flower.report.figures import draw_answers
from fdd_flower.run_folder.facts.evaluation_file import evaluation_bytes, load_evaluation
from fdd_flower.training.metrics import answers
from tests.report.samples import CLASSES
from tests.training.test_metrics import answers as sample


@pytest.mark.parametrize(("k", "positive"), [(2, 0), (2, 1), (12, 1)])
def test_curves_are_kept_with_few_points_and_their_areas(tmp_path: Path, k: int, positive: int):
    p, y = sample(3000, k)
    found = answers(p, y, positive=positive)
    assert len(found.curves) == (1 if k == 2 else 10)
    for curve in found.curves:
        own, score = y == curve.label, p[:, curve.label]
        assert curve.auroc == pytest.approx(roc_auc_score(own, score))
        assert trapezoid(curve.roc[1], curve.roc[0]) == pytest.approx(curve.auroc, abs=2e-3)
        recall, precision = map(np.asarray, curve.precision)
        area = np.sum(np.diff(recall) * precision[1:])
        assert area == pytest.approx(average_precision_score(own, score), abs=0.02)
        assert len(curve.roc[0]) <= 200
        assert (curve.roc[0][0], curve.roc[0][-1], recall[0], recall[-1]) == (0, 1, 0, 1)
    if k == 12:  # the lowest ten
        areas = [roc_auc_score(y == c, p[:, c]) for c in range(k)]
        assert {c.label for c in found.curves} == set(np.argsort(areas)[:10].tolist())
    (tmp_path / "e.json").write_bytes(evaluation_bytes(found))
    assert load_evaluation(tmp_path / "e.json") == found


@pytest.mark.parametrize(
    ("p", "y"),
    [
        (np.full((4, 2), np.nan), [0, 1, 1, 0]),
        (np.full((4, 2), 0.5), [1, 1, 1, 1]),
        (np.full((0, 2), 0.5), []),
    ],
    ids=["no numbers", "one class", "no records"],
)
def test_what_has_no_curves_is_drawn_without(tmp_path: Path, p: np.ndarray, y: list[int]):
    found = answers(p, np.array(y, dtype=np.int64))
    assert found.curves == ()
    (tmp_path / "e.json").write_bytes(evaluation_bytes(found))
    assert load_evaluation(tmp_path / "e.json") == found
    draw_answers(found, CLASSES, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_names_of_classes_are_data_in_a_picture(tmp_path: Path):
    draw_answers(answers(*sample(50, 2)), ("a$b$", "$\\frac{"), tmp_path / "a.png")
    assert (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"confusion": [[1, 2]]},
        {"confusion": [[1, -2], [3, 4]]},
        {"positive": 2},
        {"curves": [{"label": 9}]},
        {"reliability": {"probability": [0.5], "share": [], "records": []}},
        {"reliability": {"probability": [7.0], "share": [0.5], "records": [3]}},
    ],
)
def test_a_file_that_was_edited_is_refused(tmp_path: Path, changes: dict[str, Any]):
    path = tmp_path / "e.json"
    document = json.loads(evaluation_bytes(answers(*sample(50, 2))))
    path.write_text(json.dumps(document | changes))
    with pytest.raises(DataError, match=r"e\.json"):
        load_evaluation(path)
