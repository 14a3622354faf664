"""`partition.column`: which group a record is of goes with it, and changes nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fdd_flower.config import Config, DataConfig, PartitionConfig, from_run_config, to_run_config
from fdd_flower.data import client_share, evaluation_split, load_dataset, load_own
from fdd_flower.errors import DataError

N = 60
STATES = ["10", "9", "100"]
NAMES = [STATES[i // 4 % 3] for i in range(N)]  # of the record whose features say i


def save(tmp_path: Path, kind: str) -> DataConfig:
    """Write records (i, -i) of class i mod 2 and group `NAMES[i]`."""
    i = np.arange(N)
    if kind == "npz":
        path = tmp_path / "data.npz"
        x = np.stack([i, -i], axis=1).astype(np.float32)
        np.savez(path, x=x, y=i % 2, state=np.array(NAMES))
        return DataConfig(name="npz", path=str(path), column="state")
    frame = pd.DataFrame({"a": i, "b": -i, "label": i % 2, "state": NAMES})
    path = tmp_path / f"data.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    return DataConfig(name="table", path=str(path), column="state")


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet"])
def test_groups_stay_with_their_records(kind: str, tmp_path: Path) -> None:
    dataset = load_dataset(save(tmp_path, kind), seed=3)
    assert dataset.group_names == ("9", "10", "100")  # as numbers, for all are
    cut = PartitionConfig(name="iid")
    splits = [
        dataset.split(dataset.train),
        evaluation_split(dataset, cut, seed=0),
        client_share(dataset, cut, client=1, num_clients=3, seed=1),
    ]
    for split in splits:
        assert split.groups is not None
        records = dataset.normalisation.invert(split.inputs)[:, 0].round().int()
        assert [dataset.group_names[g] for g in split.groups] == [NAMES[i] for i in records]


def test_a_column_of_groups_changes_nothing_else(tmp_path: Path) -> None:
    cfg = save(tmp_path, "csv")
    with_groups = load_dataset(cfg, seed=0)
    pd.read_csv(cfg.path).drop(columns="state").to_csv(tmp_path / "without.csv", index=False)
    without = load_dataset(DataConfig(name="table", path=str(tmp_path / "without.csv")), seed=0)
    assert without.train.groups is None
    assert with_groups.columns == without.columns == ("a", "b")
    assert with_groups.normalisation == without.normalisation
    np.testing.assert_array_equal(with_groups.train.inputs, without.train.inputs)
    np.testing.assert_array_equal(with_groups.test.inputs, without.test.inputs)


def test_one_column_may_say_both_subject_and_group(tmp_path: Path) -> None:
    train = load_dataset(replace(save(tmp_path, "csv"), subject="state"), seed=0).train
    assert train.subjects is not None
    assert train.groups is not None
    pairs = set(zip(train.subjects.tolist(), train.groups.tolist(), strict=True))
    assert len(pairs) == 3
    assert train.inputs.shape[1] == 2


def test_groups_of_both_files_are_numbered_together(tmp_path: Path) -> None:
    for name, states in (("train", "ab"), ("test", "bc")):
        rows = [f"{i},{i % 2},{states[i % 2]}" for i in range(4)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["x,label,state", *rows]))
    dataset = load_dataset(DataConfig(name="table", path=str(tmp_path), column="state"), seed=0)
    assert dataset.group_names == ("a", "b", "c")
    assert dataset.train.groups is not None
    assert dataset.test.groups is not None
    assert dataset.train.groups.tolist() == [0, 1, 0, 1]
    assert dataset.test.groups.tolist() == [1, 2, 1, 2]


def test_a_test_split_may_have_no_groups(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("x,label,state\n1,0,a\n2,1,b\n")
    (tmp_path / "test.csv").write_text("x,label\n1,0\n2,1\n")
    dataset = load_dataset(DataConfig(name="table", path=str(tmp_path), column="state"), seed=0)
    assert dataset.train.groups is not None
    assert dataset.test.groups is None


def test_a_node_has_the_column_or_not(tmp_path: Path) -> None:
    cfg = save(tmp_path, "csv")
    dataset = load_dataset(cfg, seed=0)
    without = tmp_path / "without.csv"
    pd.read_csv(cfg.path).drop(columns="state").to_csv(without, index=False)
    a, b = (
        load_own(
            cfg,
            path=str(path),
            classes=dataset.classes,
            feature_shape=(2,),
            normalisation=dataset.normalisation,
        )
        for path in (cfg.path, without)
    )
    assert a.inputs.equal(b.inputs)


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_a_name_that_the_data_lacks_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"partition\.column: expected .* got 'other'"):
        load_dataset(replace(save(tmp_path, kind), column="other"), seed=0)


def test_the_label_is_no_group(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"partition\.column: expected a column beside the label"):
        load_dataset(replace(save(tmp_path, "csv"), column="label"), seed=0)


def test_a_row_without_a_group_is_refused(tmp_path: Path) -> None:
    cfg = save(tmp_path, "csv")
    frame = pd.read_csv(cfg.path)
    frame.loc[5, "state"] = None
    frame.to_csv(cfg.path, index=False)
    with pytest.raises(DataError, match="expected a group in every row; got nothing in row 6"):
        load_dataset(cfg, seed=0)


def test_the_sources_are_told_the_column_of_the_partition() -> None:
    cfg = from_run_config({"partition.column": "state"})
    assert cfg.data.column == "state"
    assert replace(cfg, data=DataConfig()).data.column == "state"
    assert replace(cfg, partition=PartitionConfig()).data.column == ""
    assert from_run_config(to_run_config(cfg)) == cfg
    assert "data.column" not in to_run_config(Config())
