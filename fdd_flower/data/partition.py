"""One data set split among clients, for simulation."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.config import PartitionConfig
from fdd_flower.data.balanced import balanced_indices
from fdd_flower.data.base import refuse
from fdd_flower.data.dirichlet import dirichlet_indices
from fdd_flower.errors import ConfigError
from fdd_flower.rng import derive, numpy_stream

if TYPE_CHECKING:
    from flwr_datasets.partitioner import Partitioner

# 11 tries are now and then too few at alpha 0.01 and 10 clients.
DIRICHLET_GOES = 8


def partition_indices(
    labels: np.ndarray,
    cfg: PartitionConfig,
    *,
    num_clients: int,
    seed: int,
    clients: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Return each client's records, by their places in `labels`.

    - `iid`: equal shares at random.
    - `dirichlet`: a class goes to the clients in Dirichlet(alpha) shares; a client above the
      average size gets no more (arXiv:1905.12022, as in its authors' code).
    - `balanced`: the same, with clients of equal size (`_balanced`).
    - `classes`: every client holds exactly `classes_per_client` classes, and all classes are
      held as soon as clients x classes_per_client reaches their number. Clients are neighbours:
      ten clients of two of ten classes are five pairs that share no class.
    - `pathological`: as many classes a client, one in turn and the others at random, and a class in
      equal parts to those that hold it (arXiv:2102.02079, as in Flower's `niid_bench`); clients
      fewer than classes may leave a class to nobody.
    - `shards`: records sorted by label are split into equal shards, dealt at random
      (arXiv:1602.05629); a remainder smaller than the number of shards is left out.
    - `column`: as `clients` says (flwr-datasets' `NaturalIdPartitioner`, without its import).

    With `quantity` above 0 a client then keeps a random part of what it was given: shares of a
    Dirichlet distribution over clients (arXiv:2102.02079 calls it quantity skew), scaled so that
    the largest client keeps all.

    Parameters
    ----------
    labels
        int64, (n,).
    clients
        `column`: int64, (n,), whose each record is; -1: nobody's.

    Returns
    -------
    One sorted int64 array per client, never empty, no record twice.

    Raises
    ------
    DataError
        If there are too few records for this cut.
    ConfigError
        If a client is to hold more classes than there are.
    """
    if not 1 <= num_clients <= len(labels):
        raise refuse(
            "number of clients",
            expected=f"from 1 to {len(labels)}, the number of training records",
            got=num_clients,
            remedy="Run fewer clients, or give more data.",
        )
    if cfg.name == "column":
        assert clients is not None
        parts = [np.flatnonzero(clients == client) for client in range(num_clients)]
        return [np.sort(part) for part in _thinned(parts, cfg.quantity, seed)]
    # `iid` cuts in the order it finds, and the others keep it within a class.
    order = numpy_stream(seed, "partition", "order").permutation(len(labels))
    cuts = {
        "iid": _iid,
        "dirichlet": _dirichlet,
        "balanced": _balanced,
        "classes": _classes,
        "pathological": _pathological,
        "shards": _shards,
    }
    parts = cuts[cfg.name](labels[order], cfg, num_clients, seed)
    parts = _thinned(parts, cfg.quantity, seed)
    return [np.sort(order[part]) for part in parts]


def _iid(labels: np.ndarray, cfg: PartitionConfig, num_clients: int, seed: int) -> list[np.ndarray]:
    return np.array_split(np.arange(len(labels)), num_clients)


def _dirichlet(
    labels: np.ndarray, cfg: PartitionConfig, num_clients: int, seed: int
) -> list[np.ndarray]:
    for go in range(DIRICHLET_GOES):
        rng = np.random.default_rng(derive(seed, "partition", "dirichlet", go))
        try:
            parts = dirichlet_indices(labels, cfg.alpha, num_clients, rng=rng)
        except FloatingPointError:
            continue
        if parts is not None:
            return parts
    raise refuse(
        "partition.alpha",
        expected=f"a split that leaves each of {num_clients} clients a record",
        got=f"none in {DIRICHLET_GOES} goes at alpha {cfg.alpha:g} over {len(labels)} records",
        remedy="Set a larger partition.alpha or partition.name=balanced, or run fewer clients.",
    )


def _balanced(
    labels: np.ndarray, cfg: PartitionConfig, num_clients: int, seed: int
) -> list[np.ndarray]:
    rng = numpy_stream(seed, "partition", "balanced")
    parts = balanced_indices(labels, cfg.alpha, num_clients, rng=rng)
    if min(map(len, parts)) == 0:
        raise refuse(
            "partition.name=balanced",
            expected=f"records enough for {num_clients} clients of equal size",
            got=f"{len(labels)}",
            remedy="Run fewer clients, or give more data.",
        )
    return parts


def _classes(
    labels: np.ndarray, cfg: PartitionConfig, num_clients: int, seed: int
) -> list[np.ndarray]:
    from flwr_datasets.partitioner import PathologicalPartitioner

    held, places = np.unique(labels, return_inverse=True)
    each = _classes_each(cfg, len(held))
    # flwr-datasets' own assignments of several classes can leave a class to nobody. Instead it
    # deals single classes in turn, and a client takes `each` neighbours: distinct, as each <= k.
    hands = num_clients * each
    sharing = -(-hands // len(held))
    scarce = int(np.bincount(places).min())
    if scarce < sharing:
        raise refuse(
            "partition.name=classes",
            expected=f"at least {sharing} records in each class, one for each client that holds it",
            got=f"a class of {scarce}",
            remedy="Lower partition.classes-per-client, or run fewer clients.",
        )
    shuffled = numpy_stream(seed, "partition", "classes").permutation(len(held))
    partitioner = PathologicalPartitioner(
        hands,
        partition_by="label",
        num_classes_per_partition=1,
        class_assignment_mode="deterministic",
        shuffle=False,
    )
    single = _run(partitioner, shuffled[places], hands)
    return [np.concatenate(single[i : i + each]) for i in range(0, hands, each)]


def _pathological(
    labels: np.ndarray, cfg: PartitionConfig, num_clients: int, seed: int
) -> list[np.ndarray]:
    from flwr_datasets.partitioner import PathologicalPartitioner

    partitioner = PathologicalPartitioner(
        num_clients,
        partition_by="label",
        num_classes_per_partition=_classes_each(cfg, len(np.unique(labels))),
        class_assignment_mode="first-deterministic",
        shuffle=False,
        seed=derive(seed, "partition", "pathological"),
    )
    try:
        return _run(partitioner, labels, num_clients)
    except ValueError:  # the only one that is left: a class has fewer records than clients
        raise refuse(
            "partition.name=pathological",
            expected="a record in each class for each client that holds it",
            got=f"a class of {np.unique(labels, return_counts=True)[1].min()}",
            remedy="Lower partition.classes-per-client, or run fewer clients.",
        ) from None


def _classes_each(cfg: PartitionConfig, present: int) -> int:
    if cfg.classes_per_client > present:
        raise ConfigError(
            "partition.classes-per-client",
            expected=f"at most {present}, the number of classes",
            got=cfg.classes_per_client,
            remedy="Lower partition.classes-per-client.",
        )
    return cfg.classes_per_client


def _shards(
    labels: np.ndarray, cfg: PartitionConfig, num_clients: int, seed: int
) -> list[np.ndarray]:
    from flwr_datasets.partitioner import ShardPartitioner

    shards = num_clients * cfg.shards_per_client
    if shards > len(labels):
        raise refuse(
            "partition.shards-per-client",
            expected=f"at most {len(labels)} shards over all clients, one record each",
            got=f"{num_clients} clients x {cfg.shards_per_client} = {shards}",
            remedy="Lower partition.shards-per-client, or run fewer clients.",
        )
    partitioner = ShardPartitioner(
        num_clients,
        partition_by="label",
        num_shards_per_partition=cfg.shards_per_client,
        shuffle=False,
        seed=derive(seed, "partition", "shards"),
    )
    return _run(partitioner, labels, num_clients)


def _thinned(parts: list[np.ndarray], concentration: float, seed: int) -> list[np.ndarray]:
    """Return a random part of each client's records, in uneven shares, the largest 1; at 0 all."""
    if not concentration:
        return parts
    rng = numpy_stream(seed, "partition", "quantity")
    drawn = rng.dirichlet(np.full(len(parts), concentration))
    kept = [
        max(1, round(len(part) * share / drawn.max()))
        for part, share in zip(parts, drawn, strict=True)
    ]
    return [rng.permutation(part)[:keep] for part, keep in zip(parts, kept, strict=True)]


def _run(partitioner: Partitioner, labels: np.ndarray, count: int) -> list[np.ndarray]:
    from datasets import Dataset as Table

    partitioner.dataset = Table.from_dict({"label": labels, "index": np.arange(len(labels))})
    with warnings.catch_warnings():
        # Retries and unused classes, which the caller handles, and pyarrow's deprecations.
        warnings.simplefilter("ignore")
        parts = [partitioner.load_partition(i).with_format("numpy") for i in range(count)]
        # Sliced as a whole: a column read on its own is walked element by element.
        return [np.asarray(part[:]["index"]) for part in parts]
