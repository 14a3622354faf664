"""A table's columns in the report: the file, the pictures, the section."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fdd_flower.errors import DataError
from fdd_flower.report.columns.correlations import correlations_figure, mean_difference
from fdd_flower.report.columns.marginals import MOST_WORDS, marginals_figure
from fdd_flower.report.html import write_report
from fdd_flower.run_folder.facts.columns_file import columns_bytes, load_columns
from fdd_flower.run_folder.run_dir import RunDir
from fdd_flower.schema import Column
from fdd_flower.training.metrics.likeness import Likeness, likeness
from tests.report.samples import CLASSES, HOSTILE

COLUMNS = (
    Column(name="sick", kind="category", levels=CLASSES),
    Column(name="age", kind="integer", unit="years", gaps=True),
    Column(name="seen", kind="date"),
    Column(name="$x$", kind="number"),
    Column(name="town", kind="category", levels=tuple(f"$town$ {i}" for i in range(30)), gaps=True),
    Column(name="stage", kind="ordinal", levels=("I", "II", "III")),
    Column(name="empty", kind="number", gaps=True),
)


def sample() -> Likeness:
    rng = np.random.default_rng(0)
    n = 90
    cells = np.column_stack(
        [
            rng.integers(0, 2, n),
            np.where(rng.random(n) < 0.2, np.nan, rng.integers(20, 90, n)),
            rng.integers(18_000, 19_000, n),
            np.full(n, 2.5),
            np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 30, n)),
            rng.integers(0, 3, n),
            np.full(n, np.nan),
        ]
    )
    return likeness(cells, cells[:12], np.arange(1.0, 13), COLUMNS)[0]


def words_of(axes: Any) -> list[str]:
    return [text.get_text() for text in (*axes.get_xticklabels(), *axes.get_yticklabels())]


def test_the_file_gives_back_what_was_written(tmp_path: Path) -> None:
    found = sample()
    (tmp_path / "c.json").write_bytes(columns_bytes(found))
    back = load_columns(tmp_path / "c.json")
    assert back.marginals == found.marginals
    np.testing.assert_array_equal(back.real, found.real)
    assert (back.columns, back.records) == (7, 90)


@pytest.mark.parametrize(
    "broken",
    [
        {"marginals": 7},
        {"real": [[1.0]]},
        {"synthetic": [["x"] * 7] * 7},
        {"records": None},
        {"real": [[1e300] * 7] * 7},
        {"marginals": [{"name": "a", "edges": [1, 1], "words": [], "real": [1, 0]}] * 7},
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, broken: dict[str, Any]) -> None:
    whole = json.loads(columns_bytes(sample()))
    (tmp_path / "columns.json").write_text(json.dumps(whole | broken))
    with pytest.raises(DataError, match=r"columns\.json"):
        load_columns(tmp_path / "columns.json")


def test_each_column_has_a_panel_in_its_own_words() -> None:
    figure = marginals_figure(sample())
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_visible()}
    assert len(panels) == len(COLUMNS)
    sick, age, seen, x, town, stage, empty = panels.values()
    assert "(class)" in sick.get_title(loc="left")
    assert age.get_xlabel() == "years"
    assert "miss-\ning" in words_of(age)
    assert all(word.startswith("20") for word in words_of(seen)[:2])
    assert not any("miss" in word for word in words_of(x))
    named = words_of(town)
    assert sum(word.startswith("$town$") for word in named) == MOST_WORDS
    assert "missing" in named
    assert any(word.endswith(" others") for word in named)
    assert [word for word in words_of(stage) if "I" in word] == ["I", "II", "III"]
    assert "miss-\ning" in words_of(empty)


def test_two_matrices_have_the_same_names_and_scale() -> None:
    found = sample()
    figure = correlations_figure(found)
    left, right = figure.axes[:2]
    names = [marginal.name for marginal in found.marginals]
    for axes in (left, right):
        assert [text.get_text() for text in axes.get_xticklabels()][1:] == names[1:]
        assert axes.images[0].get_clim() == (-1, 1)
    np.testing.assert_array_equal(left.images[0].get_array(), np.ma.masked_invalid(found.real))
    pairs = [
        abs(a - b)
        for i, (one, two) in enumerate(zip(found.real, found.synthetic, strict=True))
        for a, b in zip(one[:i], two[:i], strict=True)
        if math.isfinite(a) and math.isfinite(b)
    ]
    assert mean_difference(found) == pytest.approx(np.mean(pairs))


def test_the_report_has_both_pictures_and_the_distances(finished: Callable[..., Path]) -> None:
    far = {HOSTILE: {"distance": 0.625, "same_classes": 0.125}}
    path = finished(distance_per_column=far)
    plain = write_report(path).read_text()
    assert "beside synthetic rows" not in plain
    RunDir(path).write_columns(sample())
    text = write_report(path).read_text()
    assert text.count("<img") == plain.count("<img") + 2
    assert "0.625" in text
    assert "0.125" in text
    assert "server's own" in text.replace("&#x27;", "'")
    assert HOSTILE not in text
    assert (path / "columns.png").read_bytes()[:4] == b"\x89PNG"
    assert (path / "correlations.png").exists()
