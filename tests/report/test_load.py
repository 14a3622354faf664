"""Reading a run back, whole and damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fdd_flower.config import Config
from fdd_flower.errors import DataError
from fdd_flower.run_folder.load import load_run
from fdd_flower.run_folder.resume import kept_settings
from tests.report.samples import CLASSES, NORMALISATION, SCHEMA, make_row, make_set

Leave = Callable[..., Path]


def test_a_run_comes_back(finished: Leave) -> None:
    run = load_run(finished())
    assert run.rows == (make_row(1), make_row(2))
    assert run.summary.completed
    assert run.summary.accuracy_per_class == (0.5, 1.0)
    assert run.config == Config(seed=7)
    assert run.schema == SCHEMA
    assert run.synthetic is not None
    assert run.synthetic.classes == CLASSES
    assert run.synthetic.normalisation == NORMALISATION
    assert torch.equal(run.synthetic.set.inputs, make_set().inputs)
    assert run.synthetic.set.meta == make_set().meta


@pytest.mark.parametrize(
    "name", ["rounds.jsonl", "summary.json", "config.toml", "synthetic.safetensors", "schema.json"]
)
def test_a_missing_or_cut_file_is_named(finished: Leave, name: str) -> None:
    path = finished()
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[: len(content) - 22])
    with pytest.raises(DataError, match=name) as cut:
        load_run(path)
    (path / name).unlink()
    if name == "schema.json":  # older runs have none, and their set knows most of it
        assert load_run(path).schema == replace(SCHEMA, columns=())
        return
    with pytest.raises(DataError, match=name) as missing:
        load_run(path)
    assert str(cut.value) != str(missing.value)


def test_a_run_of_an_older_version_comes_back_with_what_it_lost(finished: Leave) -> None:
    path = finished()
    settings = (path / "config.toml").read_text()
    old = settings.replace("[scoring]\n", "[scoring]\ncopied = 0.5\noutlier = 9.0\n")
    (path / "config.toml").write_text(old)
    run = load_run(path)
    assert (run.config, run.lost) == (Config(seed=7), {"scoring.outlier": 9.0})
    with pytest.raises(DataError, match=r"scoring\.outlier.*got 9\.0.*3\.5"):
        kept_settings(path)
    (path / "config.toml").write_text(old.replace("outlier = 9.0", "outlier = 3.5"))
    assert kept_settings(path) == Config(seed=7)


def test_the_broken_round_is_named(finished: Leave) -> None:
    path = finished()
    with (path / "rounds.jsonl").open("a") as file:
        file.write('{"round": 3, "accu')
    with pytest.raises(DataError, match="line 3"):
        load_run(path)


def test_a_set_without_its_facts_is_no_merged_set(finished: Leave) -> None:
    path = finished()
    (path / "model.safetensors").replace(path / "synthetic.safetensors")
    with pytest.raises(DataError, match=r"synthetic\.safetensors.*normalisation"):
        load_run(path)


@pytest.mark.parametrize("summary", [{"status": "failed: quorum"}, {"distiller": ""}])
def test_a_run_may_have_no_set_when_it_failed_or_averages(
    finished: Leave, summary: dict[str, object]
) -> None:
    path = finished(**summary)
    (path / "synthetic.safetensors").unlink()
    assert load_run(path).synthetic is None


def test_no_folder_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.*run that ended"):
        load_run(tmp_path / "nowhere")
