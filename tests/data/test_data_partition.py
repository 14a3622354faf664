"""Partitions: disjoint, complete, repeatable, and of the shape that was asked for."""

import subprocess
import sys
import time

import numpy as np
import pytest
from datasets import Dataset
from flwr_datasets.partitioner import DirichletPartitioner, IidPartitioner

from fdd_flower.config import PartitionConfig
from fdd_flower.data.dirichlet import dirichlet_indices
from fdd_flower.data.partition import partition_indices
from fdd_flower.errors import ConfigError, DataError

NAMES = ["iid", "dirichlet", "balanced", "classes", "pathological", "shards"]
LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 60))


def cut(
    name: str, *, labels: np.ndarray = LABELS, clients: int = 10, seed: int = 0, **more: float
) -> list[np.ndarray]:
    cfg = PartitionConfig(name=name, **more)  # pyright: ignore[reportArgumentType]
    return partition_indices(labels, cfg, num_clients=clients, seed=seed)


@pytest.mark.parametrize("clients", [1, 3, 10])
@pytest.mark.parametrize("name", NAMES)
def test_no_record_is_given_twice_and_no_client_goes_without(name: str, clients: int) -> None:
    parts = cut(name, clients=clients)
    assert len(parts) == clients
    assert all(len(part) for part in parts)
    assert all(part.dtype == np.int64 and (np.diff(part) > 0).all() for part in parts)
    every = np.concatenate(parts)
    assert len(set(every.tolist())) == len(every)
    assert every.min() >= 0
    assert every.max() < len(LABELS)


@pytest.mark.parametrize("clients", [1, 7, 10])
@pytest.mark.parametrize("name", ["iid", "dirichlet", "balanced"])
def test_every_record_is_given(name: str, clients: int) -> None:
    every = np.concatenate(cut(name, clients=clients))
    np.testing.assert_array_equal(np.sort(every), np.arange(len(LABELS)))


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides(name: str) -> None:
    first, second, other = cut(name), cut(name), cut(name, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_another_process_cuts_the_same() -> None:
    code = (
        "import numpy as np; from fdd_flower.config import PartitionConfig\n"
        "from fdd_flower.data.partition import partition_indices\n"
        "labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 60))\n"
        "parts = partition_indices(labels, PartitionConfig(), num_clients=10, seed=0)\n"
        "print([part.tolist() for part in parts])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert out.stdout.strip() == str([part.tolist() for part in cut("dirichlet")])
    assert out.stderr == ""


def test_iid_shares_are_equal_and_mixed_even_where_labels_are_sorted() -> None:
    labels = np.sort(LABELS)
    for part in cut("iid", labels=labels):
        assert len(part) == 60
        assert len(np.unique(labels[part])) >= 8


@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.3, 100.0])
@pytest.mark.parametrize("clients", [3, 10, 80])
def test_balanced_clients_are_of_one_size_however_uneven_their_classes(
    alpha: float, clients: int
) -> None:
    labels = np.repeat(np.arange(10), [900, 100, *[600] * 8])
    parts = cut("balanced", labels=labels, clients=clients, alpha=alpha)
    mean = len(labels) / clients
    assert all(abs(len(part) - mean) <= max(8, 0.01 * mean + 5) for part in parts)
    held = [np.bincount(labels[part], minlength=10).max() / len(part) for part in parts]
    if alpha == 0.01 and clients == 80:
        assert np.mean(held) > 0.9  # nearly a class a client
    if alpha == 100:
        assert np.mean(held) < 0.25


def test_balanced_clients_without_a_record_are_refused() -> None:
    with pytest.raises(DataError, match=r"partition\.name=balanced: expected records enough"):
        cut("balanced", labels=np.arange(10) % 3, clients=10, alpha=100.0)


@pytest.mark.parametrize(("clients", "each"), [(10, 2), (5, 2), (4, 3), (10, 10), (3, 1), (7, 4)])
def test_classes_gives_each_client_exactly_its_classes(clients: int, each: int) -> None:
    parts = cut("classes", clients=clients, classes_per_client=each)
    held = [set(LABELS[part].tolist()) for part in parts]
    assert [len(classes) for classes in held] == [each] * clients
    assert len(set().union(*held)) == min(10, clients * each)


@pytest.mark.parametrize(("clients", "each"), [(10, 2), (10, 3), (20, 2), (10, 1), (10, 10)])
def test_pathological_deals_one_class_in_turn_and_the_others_at_random(
    clients: int, each: int
) -> None:
    parts = cut("pathological", clients=clients, classes_per_client=each)
    held = [set(LABELS[part].tolist()) for part in parts]
    assert [len(classes) for classes in held] == [each] * clients
    assert all(client % 10 in classes for client, classes in enumerate(held))
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(LABELS)))
    for label in range(10):  # in equal parts
        shares = [int((LABELS[part] == label).sum()) for part in parts]
        owned = [share for share in shares if share]
        assert max(owned) - min(owned) <= 1
    if each == 2:  # not in closed groups of clients, as neighbours are
        assert len({frozenset(classes) for classes in held}) > clients // 2


def test_pathological_clients_without_a_record_are_refused() -> None:
    labels = np.array([0] * 50 + [1] * 2)
    with pytest.raises(DataError, match=r"name=pathological: .*got a class of 2\. Lower"):
        cut("pathological", labels=labels, clients=8, classes_per_client=1)


def test_shards_hold_few_classes_and_are_equal() -> None:
    for part in cut("shards", shards_per_client=2):
        assert len(part) == 60
        assert len(np.unique(LABELS[part])) <= 2


@pytest.mark.filterwarnings("ignore")  # theirs, of each try
@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.3, 0.5, 5.0])
@pytest.mark.parametrize("clients", [1, 3, 10, 40])
def test_iid_and_dirichlet_are_those_of_flwr_datasets(alpha: float, clients: int) -> None:
    labels = np.random.default_rng(5).choice(7, size=900, p=np.arange(1, 8) / 28)
    table = Dataset.from_dict({"label": labels})
    theirs = DirichletPartitioner(
        clients, "label", alpha, min_partition_size=1, self_balancing=True, seed=3
    )
    own = dirichlet_indices(labels, alpha, clients, rng=np.random.default_rng(3))
    theirs.dataset = table.add_column("index", np.arange(900))  # pyright: ignore
    try:
        wanted = [theirs.load_partition(i)["index"] for i in range(clients)]
    except ValueError:
        assert own is None
    else:
        assert own is not None
        assert [part.tolist() for part in own] == [list(part) for part in wanted]
    iid = IidPartitioner(clients)
    iid.dataset = table
    sizes = [len(iid.load_partition(i)) for i in range(clients)]
    assert [len(part) for part in cut("iid", labels=labels, clients=clients)] == sizes


def test_a_small_alpha_is_more_uneven() -> None:
    def share_of_top_class(alpha: float) -> float:
        parts = cut("dirichlet", alpha=alpha, labels=np.tile(LABELS, 10))
        labels = np.tile(LABELS, 10)
        return float(np.mean([np.bincount(labels[p]).max() / len(p) for p in parts]))

    assert share_of_top_class(100.0) < 0.2 < 0.5 < share_of_top_class(0.05)


def test_alpha_of_a_hundredth_on_sixty_thousand_records_is_quick_and_quiet(
    capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    labels = np.repeat(np.arange(10), 6_000)
    started = time.monotonic()
    parts = cut("dirichlet", labels=labels, alpha=0.01)
    assert time.monotonic() - started < 30
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(60_000))
    assert min(len(part) for part in parts) >= 1
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


@pytest.mark.parametrize("clients", [0, 601])
def test_more_clients_than_records_are_refused(clients: int) -> None:
    with pytest.raises(DataError, match=rf"clients: expected from 1 to 600.*got {clients}\. Run"):
        cut("iid", clients=clients)


def test_more_classes_a_client_than_there_are_is_a_setting_at_fault() -> None:
    for name in ("classes", "pathological"):
        with pytest.raises(ConfigError, match=r"classes-per-client: expected at most 10.*got 11"):
            cut(name, classes_per_client=11)


def test_a_class_too_small_for_its_clients_is_refused() -> None:
    labels = np.array([0] * 50 + [1] * 2)
    with pytest.raises(DataError, match=r"at least 5 records in each class.*class of 2\. Lower"):
        cut("classes", labels=labels, clients=5, classes_per_client=2)


def test_more_shards_than_records_are_refused() -> None:
    with pytest.raises(DataError, match=r"shards-per-client: .*10 clients x 100 = 1000\. Lower"):
        cut("shards", shards_per_client=100)


def test_an_impossible_dirichlet_split_asks_for_a_larger_alpha() -> None:
    with pytest.raises(DataError, match=r"^partition\.alpha: .*Set a larger partition\.alpha"):
        cut("dirichlet", alpha=0.001, clients=200)


@pytest.mark.parametrize("name", NAMES)
def test_quantity_skew_keeps_random_parts_of_the_same_cut(name: str) -> None:
    whole, thin = cut(name), cut(name, quantity=1.0)
    assert all(set(b) <= set(a) and len(b) for a, b in zip(whole, thin, strict=True))
    shares = sorted(len(b) / len(a) for a, b in zip(whole, thin, strict=True))
    assert shares[-1] == 1
    assert shares[0] < 0.3
    assert shares[4] < 0.9


def test_a_large_concentration_leaves_sizes_nearly_even() -> None:
    sizes = [len(part) for part in cut("iid", quantity=1e4)]
    assert min(sizes) > 0.9 * max(sizes)
