"""`fdd predict` on recordings, against windows cut by hand; and the threshold of two classes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch

from fdd_flower.config import DataConfig
from fdd_flower.data.unlabelled import read_unlabelled
from fdd_flower.errors import ConfigError, DataError
from fdd_flower.results.predict import Cut, called, cut_of, predictions
from fdd_flower.schema import Normalisation, Schema

SCHEMA = Schema(
    classes=("sit", "walk"),
    feature_shape=(2, 4),
    normalisation=Normalisation(mean=(0.0, 0.0), std=(1.0, 2.0)),
    channels=("y", "x"),
    rate=10.0,
)
CFG = DataConfig(name="series", recording="run", time="t", step=3)


def recordings() -> pd.DataFrame:
    """Return 9 samples of `b`, of which one is missing, 5 of `a`, and 2 of `c`."""
    parts = []
    for name, count in (("b", 9), ("a", 5), ("c", 2)):
        t = np.arange(count) / 10
        parts.append(pd.DataFrame({"run": name, "t": t, "x": 10 * t, "y": t - 1, "extra": "no"}))
    table = pd.concat(parts, ignore_index=True)
    return table.drop(index=7)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_windows_of_a_long_table(suffix: str, tmp_path: Path):
    table, path = recordings(), tmp_path / f"new{suffix}"
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
    found = read_unlabelled(path, SCHEMA, CFG)
    # of `b` samples 0 to 6 have a window at 0 and at 3, and 8 is alone; of `a` one at 0
    assert list(found.beside["recording"]) == ["a", "b", "b"]
    assert list(found.beside["start"]) == [0.0, 0.0, 0.3]
    t = torch.tensor([0.0, 0.1, 0.2, 0.3])
    for window, start in zip(found.inputs, (0, 0, 0.3), strict=True):
        torch.testing.assert_close(window, torch.stack([t + start - 1, 5 * (t + start)]))
    assert found.ignored == ("extra",)
    assert found.notes[0].startswith("1 gap in time")
    assert found.notes[1] == "no window of 4 samples fits into c"


def test_a_file_without_a_name_for_its_recording_is_one(tmp_path: Path):
    table = recordings().query("run == 'a'").drop(columns="run")
    table.to_csv(tmp_path / "press.csv", index=False)
    found = read_unlabelled(tmp_path / "press.csv", SCHEMA, CFG)
    assert list(found.beside["recording"]) == ["press"]
    (tmp_path / "mill").mkdir()
    table.to_csv(tmp_path / "mill" / "one.csv", index=False)
    both = read_unlabelled(tmp_path, SCHEMA, CFG)
    assert list(both.beside["recording"]) == ["mill/one", "press"]


def test_windows_of_a_wide_table_and_of_an_archive(tmp_path: Path):
    x = np.random.default_rng(0).normal(size=(3, 2, 9)).astype(np.float32)
    names = [f"{c}_{i}" for c in ("y", "x") for i in range(9)]
    pd.DataFrame(x.reshape(3, 18), columns=pd.Index(names)).to_csv(
        tmp_path / "wide.csv", index=False
    )
    np.savez(tmp_path / "x.npz", x=x)
    archive = read_unlabelled(tmp_path / "x.npz", SCHEMA, CFG)
    starts = [0, 3]
    want = np.stack([x[i, :, s : s + 4] / [[1], [2]] for i in range(3) for s in starts])
    np.testing.assert_allclose(archive.inputs, want, rtol=1e-6)
    assert archive.beside == {"recording": [0, 0, 1, 1, 2, 2], "start": starts * 3}
    with pytest.raises(DataError, match="channels y, x; got x, y"):
        read_unlabelled(tmp_path / "wide.csv", SCHEMA, CFG)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: f.drop(columns="x"), "channels y, x; got a table without x"),
        (lambda f: f.assign(t=f.t * 2), "rate: expected 10 samples a second.*got 5"),
        (lambda f: f.query("run == 'c'"), "a recording of 4 samples.*got 2 in the longest"),
        (lambda f: f.assign(x="high"), "'x': expected numbers"),
        (lambda f: f.iloc[:0], "at least one row; got none"),
    ],
)
def test_what_is_refused(spoil, says: str, tmp_path: Path):
    spoil(recordings()).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(DataError, match=says):
        read_unlabelled(tmp_path / "x.csv", SCHEMA, CFG)


def run(thresholds: dict, classes: tuple[str, ...] = ("bad", "good"), positive: int = 0) -> Any:
    summary = SimpleNamespace(thresholds=thresholds, model="mlp")
    answers = SimpleNamespace(positive=positive)
    return cast(
        Any,
        SimpleNamespace(summary=summary, answers=answers, schema=SimpleNamespace(classes=classes)),
    )


def test_the_threshold_of_a_run_says_what_is_predicted():
    chosen = run({"mlp": {"value": 0.2}, "cnn": {"value": float("nan")}})
    assert cut_of(chosen, "", None) == cut_of(chosen, "mlp", None) == Cut(0, 0.2)
    assert cut_of(chosen, "cnn", None) is cut_of(chosen, "other", None) is None
    assert cut_of(chosen, "cnn", 0.7) == cut_of(chosen, "", 0.7) == Cut(0, 0.7)
    with pytest.raises(ConfigError, match=r"--threshold: expected none with 3 classes"):
        cut_of(run({}, ("a", "b", "c")), "", 0.5)


def test_a_record_is_called_positive_from_the_threshold_on():
    shares = torch.tensor([[0.1, 0.9], [0.3, 0.7], [0.25, 0.75]])
    assert called(shares, None).tolist() == [1, 1, 1]
    assert called(shares, Cut(0, 0.25)).tolist() == [1, 0, 0]
    # the probability that chose it, as the summary has it
    assert called(shares, Cut(0, float(shares[1, 0]))).tolist() == [1, 0, 1]
    found = predictions(
        range(3), shares, ("bad", "start"), cut=Cut(0, 0.25), beside={"start": [5, 6, 7]}
    )
    assert list(found) == ["record", "start_", "bad", "start", "predicted"]
    assert found["predicted"].tolist() == ["start", "bad", "bad"]
    assert found["start_"].tolist() == [5, 6, 7]
