"""IOR and HLR by hand, and against the package that defines them where it is installed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fdd_flower.bench.distil.scores import hard_label_recovery, improvement_over_random, scored
from fdd_flower.bench.distil.table import markdown, plain, tables
from fdd_flower.bench.rows import Row

BASE = Row(
    distiller="dm",
    model="mlp",
    ipc=10,
    seed=0,
    accuracy=0.8,
    seconds=2.0,
    peak_mb=900.0,
    bytes=1000,
    kind="distilled",
    codec="uint8",
    accuracy_hard=0.75,
)


def _beside(name: str, accuracy: float | None, **values) -> Row:
    row = replace(BASE, distiller=name, kind="baseline", target=1000, bytes=990, ipc=11)
    return replace(row, accuracy=accuracy, **values)


FULL = replace(BASE, distiller="full", kind="full", ipc=0, accuracy=0.9, bytes=50_000)
ROWS = [BASE, _beside("random", 0.7), _beside("herding", 0.85), _beside("kmeans", 0.6), FULL]


def test_the_formulas():
    assert improvement_over_random(0.8, 0.7) == pytest.approx(0.1)
    assert hard_label_recovery(0.9, 0.75) == pytest.approx(0.15)


def test_a_row_gets_its_own_baselines_and_no_others():
    others = [
        _beside("random", 0.1, seed=1),
        _beside("random", 0.1, target=999),
        _beside("random", 0.1, model="cnn"),
        replace(FULL, seed=1, accuracy=0.1),
    ]
    row = scored([*ROWS, *others])[0]
    assert row.baselines == {"random": 0.7, "herding": 0.85, "kmeans": 0.6}
    assert row.ior == pytest.approx(0.1)
    assert row.hlr == pytest.approx(0.15)


def test_what_is_missing_stays_unknown():
    row = scored([BASE, _beside("random", None, error="no memory")])[0]
    assert row.ior is None
    assert row.hlr is None
    assert scored([replace(BASE, accuracy=None, bytes=None)])[0].baselines == {}


def test_the_table_says_where_a_set_loses():
    ((model, table),) = tables(scored(ROWS))
    assert model == "mlp"
    line = dict(zip(table[0], table[1], strict=True))
    assert line["accuracy"] == "80.0"
    assert line["IOR"] == "+10.0"
    assert line["HLR"] == "+15.0"
    assert line["verdict"] == "loses to herding"
    assert table[-1][0] == "all records"
    timed = [replace(row, seconds=30.0, seconds_train=12.5) for row in ROWS]
    line = dict(zip(table[0], tables(scored(timed))[0][1][1], strict=True))
    assert (line["client"], line["server"], line["whole"]) == ("30.0 s", "12.5 s", "42.5 s")


@pytest.mark.parametrize(
    ("accuracy", "verdict"),
    [(0.86, "beats all"), (0.85, "level with herding"), (0.7, "loses to herding")],
)
def test_a_tie_is_neither_won_nor_lost(accuracy, verdict):
    rows = [replace(ROWS[0], accuracy=accuracy), *ROWS[1:]]
    ((_, table),) = tables(scored(rows))
    assert table[1][table[0].index("verdict")] == verdict


def test_mean_and_spread_over_seeds():
    rows = scored([*ROWS, *(replace(row, seed=1, accuracy=0.5) for row in ROWS)])
    line = tables(rows)[0][1][1]
    assert "65.0 ±21.2" in line
    assert "±21.2" in plain(["head"], rows)
    assert "| dm | 10 |" in markdown(["head"], rows)


def test_against_dd_ranking(monkeypatch, tmp_path):
    module = pytest.importorskip("ddranking.metrics.hard_label")
    # the saving of 0.2.0 fails on lists of unequal length
    monkeypatch.setattr(module, "save_results", lambda *_: None)
    oracle = object.__new__(module.LabelRobustScoreHard)
    values = {"syn": 75.0, "real": 90.0}
    oracle.__dict__.update(
        num_eval=1,
        use_dist=False,
        rank=0,
        eval_full_data=True,
        ipc=1,
        num_classes=2,
        save_path=str(tmp_path / "scores.csv"),
    )
    random = iter([False, True])  # of the synthetic kind, the second call is the random set
    oracle._compute_hard_label_metrics_helper = lambda **asked: (
        values["real"] if asked["mode"] == "real" else 70.0 if next(random) else values["syn"],
        0.0,
    )
    oracle._get_random_data_helper = lambda **_: (None, None, None)
    found = oracle.compute_metrics(image_tensor=object(), hard_labels=object(), syn_lr=0.1)
    assert found["hard_label_recovery_mean"] / 100 == pytest.approx(hard_label_recovery(0.9, 0.75))
    assert found["improvement_over_random_mean"] / 100 == pytest.approx(
        improvement_over_random(0.75, 0.7)
    )


def test_a_rare_class_is_compared_by_its_metric():
    found = {
        name: replace(row, metric="auroc", metrics={"auroc": area})
        for name, row, area in (
            ("dm", replace(BASE, accuracy=0.5), 0.9),
            ("random", _beside("random", 0.95), 0.7),
            ("full", FULL, 0.92),
        )
    }
    ((_, table),) = tables(scored(list(found.values())))
    heads, line, full = (list(cells) for cells in table)
    assert heads[7:12] == ["AUROC", "random", "herding", "kmeans", "accuracy"]
    assert line[7:12] == ["90.0", "70.0", "-", "-", "50.0"]
    assert line[-1] == "beats all"
    assert full[7:12] == ["92.0", "-", "-", "-", "90.0"]
    lost = [replace(one, metric="brier", metrics={"brier": 0.3}) for one in found.values()]
    lost[1] = replace(lost[1], metrics={"brier": 0.2})
    ((_, table),) = tables(scored(lost))
    assert table[1][-1] == "loses to random"  # lower is better
