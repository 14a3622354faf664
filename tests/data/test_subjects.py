"""`data.subject`: whose a record is goes with it, and changes nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from fdd_flower.config import DataConfig, PartitionConfig
from fdd_flower.data import client_share, load_dataset, load_own
from fdd_flower.device import HOST, moved
from fdd_flower.errors import DataError
from fdd_flower.schema import Column, Normalisation

N = 40
NAMES = [f"person {i * 7 % 11}" for i in range(N)]  # of the record whose features say i


def save(tmp_path: Path, kind: str) -> DataConfig:
    """Write records (i, -i) of class i mod 2 and subject `NAMES[i]`."""
    i = np.arange(N)
    if kind == "npz":
        path = tmp_path / "data.npz"
        x = np.stack([i, -i], axis=1).astype(np.float32)
        np.savez(path, x=x, y=i % 2, person=np.array(NAMES))
        return DataConfig(name="npz", path=str(path), subject="person")
    frame = pd.DataFrame({"a": i, "b": -i, "label": i % 2, "person": NAMES})
    path = tmp_path / f"data.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    return DataConfig(name="table", path=str(path), subject="person")


def check(numbers: np.ndarray, people: np.ndarray) -> None:
    """Check that two records have one number where they have one name, by a loop."""
    names = [NAMES[int(i)] for i in numbers]
    for a in range(len(names)):
        for b in range(a):
            assert (people[a] == people[b]) == (names[a] == names[b])


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet"])
def test_subjects_stay_with_their_records(kind: str, tmp_path: Path) -> None:
    cfg = save(tmp_path, kind)
    dataset = load_dataset(replace(cfg, holdout=0.2), seed=3)
    assert dataset.train.inputs.shape[1:] == (2,)
    assert dataset.train.subjects is not None
    check(dataset.train.inputs[:, 0], dataset.train.subjects)
    for client in range(3):
        share = client_share(dataset, PartitionConfig(), client=client, num_clients=3, seed=1)
        assert share.subjects is not None
        plain = dataset.normalisation.invert(share.inputs)[:, 0].round()
        check(plain.numpy(), share.subjects.numpy())
        backwards = moved(share, HOST).take(torch.arange(len(share)).flip(0))
        assert backwards.subjects is not None
        assert torch.equal(backwards.subjects, share.subjects.flip(0))
    own = load_own(
        cfg,
        path=cfg.path,
        classes=("1", "0"),
        feature_shape=(2,),
        normalisation=dataset.normalisation,
    )
    assert own.subjects is not None
    check(np.arange(N), own.subjects.numpy())


def test_a_column_of_subjects_changes_nothing_else(tmp_path: Path) -> None:
    cfg = save(tmp_path, "csv")
    with_subjects = load_dataset(cfg, seed=0)
    pd.read_csv(cfg.path).drop(columns="person").to_csv(tmp_path / "without.csv", index=False)
    without = load_dataset(DataConfig(name="table", path=str(tmp_path / "without.csv")), seed=0)
    assert without.train.subjects is None
    assert with_subjects.columns == without.columns
    assert with_subjects.normalisation == without.normalisation
    for part in ("train", "test"):
        a, b = getattr(with_subjects, part), getattr(without, part)
        np.testing.assert_array_equal(a.inputs, b.inputs)
        np.testing.assert_array_equal(a.labels, b.labels)


@pytest.mark.parametrize("dropped", [[], ["person"]])
def test_a_test_file_may_lack_the_subjects(dropped: list[str], tmp_path: Path) -> None:
    frame = pd.read_csv(save(tmp_path, "csv").path)
    folder = tmp_path / "both"
    folder.mkdir()
    frame.to_csv(folder / "train.csv", index=False)
    frame.drop(columns=dropped).to_csv(folder / "test.csv", index=False)
    cfg = DataConfig(name="table", path=str(folder), subject="person")
    assert load_dataset(cfg, seed=0).schema.features == ("a", "b")


@pytest.mark.parametrize("name", ["other", "label"])
def test_a_name_that_is_no_column_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.subject: expected a column"):
        load_dataset(replace(save(tmp_path, "csv"), subject=name), seed=0)


@pytest.mark.parametrize("name", ["other", "y"])
def test_a_name_that_is_no_array_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.subject: expected the name of an array"):
        load_dataset(replace(save(tmp_path, "npz"), subject=name), seed=0)


@pytest.mark.parametrize("people", [np.zeros(N - 1, int), np.zeros((N, 1), int), np.zeros(N)])
def test_an_array_that_names_no_subjects_is_refused(people: np.ndarray, tmp_path: Path) -> None:
    x, y = np.zeros((N, 2), np.float32), np.arange(N) % 2
    np.savez(tmp_path / "data.npz", x=x, y=y, person=people)
    cfg = DataConfig(name="npz", path=str(tmp_path / "data.npz"), subject="person")
    with pytest.raises(DataError, match="person: expected integers or text"):
        load_dataset(cfg, seed=0)


def test_a_row_without_a_subject_is_refused(tmp_path: Path) -> None:
    cfg = save(tmp_path, "csv")
    frame = pd.read_csv(cfg.path)
    frame.loc[5, "person"] = None
    frame.to_csv(cfg.path, index=False)
    with pytest.raises(DataError, match="expected a subject in every row; got nothing in row 6"):
        load_dataset(cfg, seed=0)


def test_images_in_folders_have_no_subjects(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / label / "0.png")
    cfg = DataConfig(name="folder", path=str(tmp_path), subject="person")
    with pytest.raises(DataError, match=r"data\.subject: expected nothing for data\.name=folder"):
        load_dataset(cfg, seed=0)


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_a_server_that_only_tests_needs_no_subjects_and_a_client_does(
    kind: str, tmp_path: Path
) -> None:
    cfg = replace(save(tmp_path, kind), test_fraction=1.0)
    with_them = load_dataset(cfg, seed=0).test
    without = replace(cfg, subject="other")
    if kind == "npz":
        np.testing.assert_array_equal(with_them.inputs, load_dataset(without, seed=0).test.inputs)
    assert with_them.inputs.shape == (N, 2)
    with pytest.raises(DataError, match=r"data\.subject"):
        load_own(
            without,
            path=cfg.path,
            classes=("0", "1"),
            feature_shape=(2,),
            normalisation=load_dataset(cfg, seed=0).normalisation,
        )


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_under_a_private_mode_a_record_without_a_subject_is_left_out(
    kind: str, tmp_path: Path
) -> None:
    people = [" ", "ann", "", "bob", "ann"]
    path = tmp_path / f"own.{kind}"
    if kind == "npz":
        x = np.arange(10, dtype=np.float32).reshape(5, 2)
        np.savez(path, x=x, y=np.array([0, 1] * 2 + [0]), person=np.array(people))
    else:
        rows = [f"{2 * i},{2 * i + 1},{i % 2},{name}" for i, name in enumerate(people)]
        path.write_text("\n".join(["a,b,label,person", *rows]))
    own = load_own(
        DataConfig(name="npz" if kind == "npz" else "table", subject="person", alone=True),
        path=str(path),
        classes=("0", "1"),
        feature_shape=(2,),
        normalisation=Normalisation(mean=(0.0, 0.0), std=(1.0, 1.0)),
        columns=() if kind == "npz" else (Column(name="a"), Column(name="b")),
        label="" if kind == "npz" else "label",
    )
    assert own.inputs[:, 0].tolist() == [2.0, 6.0, 8.0]
    assert own.subjects is not None
    first, other, again = own.subjects.tolist()
    assert first == again != other
