"""The Dirichlet split of flwr-datasets, without the two seconds that its import takes.

That package brings Hugging Face's `datasets` and matplotlib along, and every process of a
simulation splits the data.
"""

from __future__ import annotations

import numpy as np

TRIES = 11  # of flwr-datasets


def dirichlet_indices(
    labels: np.ndarray, alpha: float, num_clients: int, *, rng: np.random.Generator
) -> list[np.ndarray] | None:
    """Return each client's records, by their places in `labels`; every record is given once.

    As `flwr_datasets.partitioner.DirichletPartitioner` with `self_balancing`, number by number
    (arXiv:1905.12022, as in its authors' code).

    Parameters
    ----------
    labels
        int64, (n,).

    Returns
    -------
    list of ndarray, or None
        None where every try leaves a client without a record.

    Raises
    ------
    FloatingPointError
        If all clients that a class falls to have their share already.
    """
    for _ in range(TRIES):
        parts: list[list[int]] = [[] for _ in range(num_clients)]
        for label in np.unique(labels):
            places = np.flatnonzero(labels == label)
            shares = rng.dirichlet(np.full(num_clients, alpha))
            shares[[len(part) > len(labels) / num_clients for part in parts]] = 0
            # the sum of a list adds one by one, that of an array in pairs
            with np.errstate(invalid="raise"):
                shares /= sum(shares.tolist())
            ends = (np.cumsum(shares) * len(places)).astype(np.int64)[:-1]
            for part, own in zip(parts, np.split(places, ends), strict=True):
                part.extend(own.tolist())
        if all(parts):
            for part in parts:
                rng.shuffle(part)
            return [np.array(part) for part in parts]
    return None
