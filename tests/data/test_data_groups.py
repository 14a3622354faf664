"""`partition.column`: which group a record is of goes with it, and changes nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fdd_flower.config import Config, DataConfig, PartitionConfig, from_run_config, to_run_config
from fdd_flower.data import (
    client_share,
    evaluation_split,
    load_dataset,
    load_own,
    natural_groups,
    shares,
)
from fdd_flower.data.base import Dataset, Records
from fdd_flower.errors import DataError
from fdd_flower.schema import Normalisation

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
    assert with_groups.columns == without.columns
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


def people(sizes: dict[str, int]) -> Dataset:
    """Return so many training records of each group, in turn, and one test record of each."""
    order = [name for i in range(max(sizes.values())) for name in sizes if i < sizes[name]]
    names = sorted(sizes)
    groups = np.array([names.index(name) for name in order])
    train = Records(
        inputs=np.arange(len(order), dtype=np.float32)[:, None],
        labels=np.arange(len(order)) % 2,
        groups=groups,
    )
    return Dataset(
        train=train,
        test=train.take(np.unique(groups, return_index=True)[1]),
        classes=("no", "yes"),
        normalisation=Normalisation(mean=(0.0,), std=(1.0,)),
        group_names=tuple(names),
    )


def cut(dataset: Dataset, clients: int, **options: object) -> list[np.ndarray]:
    cfg = PartitionConfig(name="column", column="who", **options)  # pyright: ignore[reportArgumentType]
    return shares(dataset, cfg, num_clients=clients, seed=0)


def test_a_client_holds_a_group_as_flower_datasets_cuts_it() -> None:
    from datasets import Dataset as Table
    from flwr_datasets.partitioner import NaturalIdPartitioner

    dataset = people({"west": 5, "east": 9, "north": 2})
    assert dataset.train.groups is not None
    names = [dataset.group_names[g] for g in dataset.train.groups]
    flower = NaturalIdPartitioner(partition_by="who")
    flower.dataset = Table.from_dict({"who": names, "place": np.arange(len(names))})
    assert len(natural_groups(dataset, PartitionConfig(name="column"))) == flower.num_partitions
    theirs = [flower.load_partition(i)["place"] for i in range(flower.num_partitions)]
    assert [part.tolist() for part in cut(dataset, 3)] == [list(part) for part in theirs]


def test_fewer_clients_are_the_largest_groups() -> None:
    dataset = people({"a": 3, "b": 9, "c": 1, "d": 6})
    assert [len(part) for part in cut(dataset, 2)] == [9, 6]
    assert [len(part) for part in cut(dataset, 3)] == [3, 9, 6]


def test_small_groups_are_no_clients() -> None:
    dataset = people({"a": 3, "b": 9, "c": 1, "d": 6})
    cfg = PartitionConfig(name="column", column="who", min_records=4)  # one of each is to test on
    assert [dataset.group_names[g] for g in natural_groups(dataset, cfg)] == ["a", "b", "d"]
    with pytest.raises(DataError, match="from 1 to 3, the groups of 'who' with 4 records or more"):
        cut(dataset, 4, min_records=4)
    with pytest.raises(DataError, match=r"from 1 to 0, .*Lower partition\.min-records"):
        cut(dataset, 1, min_records=11)


def test_groups_thin_out_like_any_client() -> None:
    dataset = people({"a": 30, "b": 90, "c": 20})
    whole, thin = cut(dataset, 3), cut(dataset, 3, quantity=0.5)
    assert all(set(few) <= set(all_) for few, all_ in zip(thin, whole, strict=True))
    assert sum(map(len, thin)) < sum(map(len, whole))


def test_clients_by_column_need_a_column(tmp_path: Path) -> None:
    dataset = load_dataset(replace(save(tmp_path, "csv"), column=""), seed=0)
    with pytest.raises(DataError, match=r"partition\.name=column: expected partition\.column"):
        shares(dataset, PartitionConfig(name="column"), num_clients=2, seed=0)


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_whole_groups_may_be_held_out(kind: str, tmp_path: Path) -> None:
    cfg = replace(save(tmp_path, kind), test_groups="100, 9")
    dataset = load_dataset(cfg, seed=0)
    for part, expected in ((dataset.train, {"10"}), (dataset.test, {"9", "100"})):
        assert part.groups is not None
        assert {dataset.group_names[g] for g in part.groups} == expected
    assert len(dataset.train) + len(dataset.test) == N
    assert len(natural_groups(dataset, PartitionConfig(name="column"))) == 1


@pytest.mark.parametrize("names", ["9, other", "9,10,100", ","])
def test_groups_to_test_on_are_some_of_those_there_are(names: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected some but not all of the groups 9, 10, 100"):
        load_dataset(replace(save(tmp_path, "csv"), test_groups=names), seed=0)


def test_groups_to_test_on_need_a_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.test-groups: expected partition\.column with it"):
        load_dataset(replace(save(tmp_path, "csv"), column="", test_groups="9"), seed=0)


def test_data_with_a_test_split_holds_no_groups_out(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text("x,label,state\n1,0,a\n2,1,b\n")
    cfg = DataConfig(name="table", path=str(tmp_path), column="state", test_groups="a")
    with pytest.raises(DataError, match=r"data\.test-groups: expected nothing for data with"):
        load_dataset(cfg, seed=0)


def test_groups_that_are_spelt_alike_are_said(tmp_path: Path) -> None:
    names = ["Bern", "bern", "Chur"]
    rows = [f"{i},{i % 2},{names[i // 2 % 3]}" for i in range(12)]
    (tmp_path / "a.csv").write_text("\n".join(["x,label,state", *rows]))
    cfg = DataConfig(name="table", path=str(tmp_path / "a.csv"), column="state")
    dataset = load_dataset(cfg, seed=0)
    assert "spelt alike, kept as groups apart: 'Bern', 'bern'" in dataset.notes
    assert len(dataset.group_names) == 3
