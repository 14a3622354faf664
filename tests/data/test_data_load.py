"""From a source to splits: hold-out, normalisation, a client's share, a node's own data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fdd_flower.config import DataConfig, PartitionConfig
from fdd_flower.data import SOURCES, client_share, load_dataset, load_own
from fdd_flower.data.base import Dataset, Records, Source, Split
from fdd_flower.data.fit import hold_out
from fdd_flower.data.partition import partition_indices
from fdd_flower.errors import DataError
from fdd_flower.schema import Normalisation

WINE = DataConfig(name="wine")
RNG = np.random.default_rng(3)


def from_source(name: str, source: Source, **settings: float) -> Dataset:
    """Return what `load_dataset` makes of `source`, registered under a name of its own."""
    SOURCES.register(name)(lambda cfg: source)
    cfg = DataConfig(name=name, **settings)  # pyright: ignore[reportArgumentType]
    return load_dataset(cfg, seed=0)


def records(n: int = 40, classes: int = 2, *, dtype: type = np.float32) -> Records:
    values = RNG.integers(0, 256, (n, 3, 4, 4)) if dtype == np.uint8 else RNG.normal(5, 2, (n, 6))
    return Records(inputs=values.astype(dtype), labels=np.arange(n) % classes)


@pytest.fixture(autouse=True)
def _forget_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SOURCES.built_in():
        SOURCES.get(name)  # one that is imported first below would be forgotten for good
    monkeypatch.setattr(SOURCES, "_known", dict(SOURCES._known))


@pytest.mark.parametrize("fraction", [0.2, 0.35])
def test_the_hold_out_keeps_each_classs_share(fraction: float) -> None:
    whole = SOURCES.get("wine")(WINE).train
    dataset = load_dataset(replace(WINE, test_fraction=fraction), seed=0)
    both = np.concatenate([dataset.train.inputs, dataset.test.inputs])
    assert sorted(map(tuple, both)) == sorted(map(tuple, whole.inputs))
    expected = fraction * np.bincount(whole.labels)
    assert np.abs(np.bincount(dataset.test.labels) - expected).max() <= 1


def test_the_hold_out_follows_the_seed() -> None:
    first, other = load_dataset(WINE, seed=0), load_dataset(WINE, seed=1)
    assert not np.array_equal(first.test.inputs, other.test.inputs)
    again = load_dataset(replace(WINE, label="unused"), seed=0)
    np.testing.assert_array_equal(first.test.inputs, again.test.inputs)


def test_all_of_it_may_be_for_testing() -> None:
    dataset = load_dataset(replace(WINE, test_fraction=1.0), seed=0)
    assert (len(dataset.train), len(dataset.test)) == (0, 178)
    assert dataset.train.inputs.shape == (0, 13)
    np.testing.assert_allclose(dataset.normalisation.mean, dataset.test.inputs.mean(0), rtol=1e-5)


def test_a_data_set_is_read_once() -> None:
    assert load_dataset(WINE, seed=0) is load_dataset(DataConfig(name="wine"), seed=0)


def test_a_split_of_its_own_is_kept() -> None:
    source = Source(train=records(), test=records(10), classes=("a", "b"))
    dataset = from_source("own-split", source)
    assert dataset.train is source.train
    assert dataset.test is source.test


def test_fitted_constants_are_numpys_over_the_training_records() -> None:
    dataset = load_dataset(WINE, seed=0)
    train = dataset.train.inputs.astype(np.float64)
    np.testing.assert_allclose(dataset.normalisation.mean, train.mean(0))
    np.testing.assert_allclose(dataset.normalisation.std, train.std(0))
    split = dataset.split(dataset.train)
    np.testing.assert_allclose(
        split.inputs.numpy(), (train - train.mean(0)) / train.std(0), atol=1e-4
    )
    assert split.inputs.dtype == torch.float32


def test_images_are_fitted_a_channel_on_the_unit_scale() -> None:
    source = Source(train=records(dtype=np.uint8), test=records(8), classes=("a", "b"))
    dataset = from_source("bytes", source)
    scaled = source.train.inputs / 255
    np.testing.assert_allclose(dataset.normalisation.mean, scaled.mean((0, 2, 3)))
    np.testing.assert_allclose(dataset.normalisation.std, scaled.std((0, 2, 3)))
    inputs = dataset.split(dataset.train).inputs
    torch.testing.assert_close(inputs.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        dataset.normalisation.invert(inputs).numpy(), scaled.astype(np.float32)
    )


def test_a_constant_feature_becomes_zero() -> None:
    train = records()
    train.inputs[:, 2] = 7
    dataset = from_source("constant", Source(train=train, test=records(4), classes=("a", "b")))
    assert dataset.normalisation.std[2] == 1
    assert bool((dataset.split(train).inputs[:, 2] == 0).all())


@pytest.mark.parametrize(
    ("name", "train", "words"),
    [
        ("empty", records(0), "labels: expected .*at least one"),
        (
            "uneven",
            Records(inputs=np.ones((3, 2), np.float32), labels=np.arange(2)),
            "for each of 3",
        ),
        ("one-class", records(classes=1), "records of at least 2; got only 'a'"),
        ("range", records(classes=3), "int64 from 0 to 1; got int64 from 0 to 2"),
        ("doubles", records(dtype=np.float64), "uint8 or float32.*float64"),
        ("flat", Records(inputs=np.ones(4, np.float32), labels=np.arange(4) % 2), "got float32"),
        (
            "nan",
            Records(inputs=np.full((4, 2), np.nan, np.float32), labels=np.arange(4) % 2),
            "finite numbers",
        ),
        (
            "scarce",
            Records(inputs=np.ones((9, 2), np.float32), labels=np.arange(9) // 8),
            "test-fraction: expected two records.*smallest, .*, of 1.*add records",
        ),
    ],
)
def test_records_that_nobody_could_use_are_refused(name: str, train: Records, words: str) -> None:
    with pytest.raises(DataError, match=f"^data.*{words}") as caught:
        from_source(name, Source(train=train, test=None, classes=("a", "b")))
    assert "\n" not in str(caught.value)


def test_a_clients_share_is_its_part_of_the_partition() -> None:
    dataset = load_dataset(DataConfig(), seed=0)
    cfg = PartitionConfig()
    parts = partition_indices(dataset.train.labels, cfg, num_clients=4, seed=5)
    for client, part in enumerate(parts):
        share = client_share(dataset, cfg, client=client, num_clients=4, seed=5)
        np.testing.assert_array_equal(share.labels, dataset.train.labels[part])
        expected = dataset.normalisation.apply(dataset.train.inputs[part])
        assert torch.equal(share.inputs, expected)
        assert share.classes == dataset.classes


@pytest.mark.parametrize("client", [-1, 4])
def test_a_client_out_of_range_is_refused(client: int) -> None:
    dataset = load_dataset(DataConfig(), seed=0)
    with pytest.raises(DataError, match=rf"^partition-id: expected from 0 to 3; got {client}\. "):
        client_share(dataset, PartitionConfig(), client=client, num_clients=4, seed=0)


CONSTANTS = Normalisation(mean=(1.0, 2.0), std=(2.0, 4.0))


def own(path: Path, text: str, *, shape: tuple[int, ...] = (2,)) -> Split:
    path.write_text(text)
    return load_own(
        DataConfig(name="table", path="the server's"),
        path=str(path),
        classes=("no", "maybe", "yes"),
        feature_shape=shape,
        normalisation=CONSTANTS,
    )


def test_own_classes_are_matched_by_name(tmp_path: Path) -> None:
    split = own(tmp_path / "own.csv", "a,b,label\n1,2,yes\n3,6,no\n5,10,yes\n")
    assert split.labels.tolist() == [2, 0, 2]
    assert split.labels.dtype == torch.int64
    assert split.inputs.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert split.classes == ("no", "maybe", "yes")


def test_one_class_is_enough_for_a_node(tmp_path: Path) -> None:
    assert own(tmp_path / "own.csv", "a,b,label\n1,2,maybe\n").labels.tolist() == [1]


def test_own_test_records_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("a,b,label\n0,0,unheard-of\n")
    (tmp_path / "train.csv").write_text("a,b,label\n1,2,yes\n")
    split = load_own(
        DataConfig(name="table"),
        path=str(tmp_path),
        classes=("yes",),
        feature_shape=(2,),
        normalisation=CONSTANTS,
    )
    assert len(split) == 1


def test_a_class_that_the_federation_does_not_know_is_named(tmp_path: Path) -> None:
    words = r"own\.csv: class nein: expected one of .* no, maybe, yes; .*Rename or remove"
    with pytest.raises(DataError, match=words):
        own(tmp_path / "own.csv", "a,b,label\n1,2,yes\n3,4,nein\n")


def test_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"shape of a record: expected \(3,\), .*got \(2,\)\. Bring"
    ):
        own(tmp_path / "own.csv", "a,b,label\n1,2,yes\n", shape=(3,))


def test_held_out_training_records_take_the_place_of_the_test_split() -> None:
    plain = load_dataset(DataConfig(name="digits"), seed=0)
    held = load_dataset(DataConfig(name="digits", holdout=0.25), seed=0)
    assert len(held.train) + len(held.test) == len(plain.train)
    assert len(held.test) == pytest.approx(len(plain.train) / 4, abs=1)
    rows = {row.tobytes() for row in plain.train.inputs}
    assert {row.tobytes() for row in held.test.inputs} <= rows


def test_a_class_too_small_to_be_held_out_is_told() -> None:
    few = Records(inputs=np.zeros((3, 2), np.float32), labels=np.array([0, 0, 1]))
    with pytest.raises(DataError, match=r"data\.holdout.*of 1\. Remove that record"):
        hold_out(few, 0.5, seed=0, option="data.holdout")
    many = Records(inputs=np.zeros((8, 2), np.float32), labels=np.arange(8) // 2)
    with pytest.raises(DataError, match=r"of 2\. Add records, change data\.holdout"):
        hold_out(many, 0.3, seed=0, option="data.holdout")
