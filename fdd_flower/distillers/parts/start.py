"""Where synthetic rows start: means of records, noise around the class mean, noise, real rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fdd_flower.data.large import IN_MEMORY
from fdd_flower.device import on_host
from fdd_flower.distillers.base import ClassRecords
from fdd_flower.distillers.parts.clock import Clock, evenly
from fdd_flower.distillers.parts.groups import deal
from fdd_flower.rng import fork

PART = 8  # one of so many records, and of as many centres, tell how long k-means takes


def class_means(
    inputs: Tensor,
    count: int,
    *,
    min_records: int,
    rng: torch.Generator,
    clock: Clock,
    until: float,
) -> Tensor:
    """Return `count` means of many records each: k-means centres, or else means of equal groups.

    k-means clusters are uneven: of wine they fill 10 of the 15 rows that `min_records` has room
    for. And k-means may take longer than there is time. Of records too many for memory it is
    given evenly spaced ones.

    Parameters
    ----------
    inputs
        (n, *feature_shape).
    count
        Means wanted: (count, *feature_shape), or as many as `min_records` has room for.
    until
        Second of `clock` by which k-means must be done.
    """
    import sklearn.cluster  # noqa: F401 (takes seconds the first time, which the pilot is not to see)

    most = max(1, IN_MEMORY // inputs[0].nbytes)
    if len(inputs) > most:
        inputs = inputs[evenly(len(inputs), most, device=inputs.device)]
    count = min(count, max(1, len(inputs) // min_records))
    some = inputs[::PART]
    few = min(count, len(some), max(2, count // PART))

    def pilot() -> None:
        kmeans_centres(some, few, min_records=min_records, rng=torch.Generator())

    whole = len(inputs) * count / (len(some) * few)
    if clock.elapsed < until and clock.repeats(pilot, until=until) >= whole:
        centres = kmeans_centres(inputs, count, min_records=min_records, rng=rng)
        if len(centres) == count:
            return centres
    return group_means(inputs.flatten(1), count).view(-1, *inputs.shape[1:])


def kmeans_centres(inputs: Tensor, rows: int, *, min_records: int, rng: torch.Generator) -> Tensor:
    """Return up to `rows` k-means centres of `inputs`, each the mean of many records.

    Parameters
    ----------
    inputs
        (n, *feature_shape).
    rows
        Centres wanted.
    min_records
        A cluster of fewer records is dissolved: its records join their nearest other centre.
        The largest clusters are then halved, as long as both halves hold enough, to come
        back to the number of centres wanted.

    Returns
    -------
    Tensor
        (m, *feature_shape) with 1 <= m <= rows, each the mean of at least `min_records`
        records where `n >= min_records`.
    """
    flat = on_host(inputs.flatten(1)).numpy()
    members = dissolve_small(flat, lloyd(flat, rows, seed=fork(rng)), min_records)
    members = halve_large(flat, members, rows, min_records, seed=fork(rng))
    centres = np.stack([flat[members == cluster].mean(axis=0) for cluster in np.unique(members)])
    return torch.from_numpy(centres).view(-1, *inputs.shape[1:]).to(inputs.device)


def lloyd(flat: np.ndarray, clusters: int, *, seed: int) -> np.ndarray:
    """Return the k-means cluster, from 0, of each row of `flat` (n, d): int, (n,).

    Equal rows share a cluster, so that there may be fewer than `clusters`.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    options: dict[str, Any] = {"n_init": 1, "random_state": seed}
    with warnings.catch_warnings():
        # fewer distinct rows than clusters: callers count what they get
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(KMeans(n_clusters=clusters, **options).fit(flat).labels_)


def dissolve_small(flat: np.ndarray, members: np.ndarray, min_records: int) -> np.ndarray:
    """Return cluster memberships (n,) in which no cluster has fewer than `min_records`.

    The smallest cluster goes first, its records each to the nearest remaining centre, until
    all are large enough or one is left.
    """
    members = members.copy()
    names, sizes = np.unique(members, return_counts=True)
    centres = np.stack([flat[members == name].mean(axis=0) for name in names])
    while len(names) > 1 and sizes.min() < min_records:
        smallest = sizes.argmin()
        orphans = np.flatnonzero(members == names[smallest])
        names, sizes, centres = (np.delete(x, smallest, axis=0) for x in (names, sizes, centres))
        nearest = _nearest(flat[orphans], centres)
        members[orphans] = names[nearest]
        np.add.at(sizes, nearest, 1)
        for grown in np.unique(nearest):
            centres[grown] = flat[members == names[grown]].mean(axis=0)
    return members


def _nearest(flat: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the place of the nearest of `centres` (k, d) for each row of `flat` (n, d)."""
    wide = centres.astype(np.float64)  # |x - c|^2 less |x|^2, a difference of large numbers
    return (np.square(wide).sum(axis=1) - 2 * flat @ wide.T).argmin(axis=1)


def halve_large(
    flat: np.ndarray, members: np.ndarray, rows: int, min_records: int, *, seed: int
) -> np.ndarray:
    """Return cluster memberships (n,) with up to `rows` clusters, none below `min_records`.

    The largest cluster is split in two by 2-means, repeatedly; one whose halves would be
    too small is left whole.
    """
    members, whole = members.copy(), set()
    while True:
        names, sizes = np.unique(members, return_counts=True)
        sizes = np.where([name in whole for name in names], 0, sizes)
        if len(names) >= rows or sizes.max() < 2 * min_records:
            return members
        largest = names[sizes.argmax()]
        inside = np.flatnonzero(members == largest)
        halves = lloyd(flat[inside], 2, seed=seed)
        if np.bincount(halves, minlength=2).min() >= min_records:
            members[inside[halves == 1]] = names.max() + 1
        else:
            whole.add(largest)


def group_means(inputs: Tensor, groups: int) -> Tensor:
    """Return the means (groups, d) of groups of a table (n, d) that are as large as one another.

    Each group has n / groups records or up to one more; see `_groups.deal`.
    """
    # one row per group: only their number counts
    one_each = inputs.new_zeros(groups, inputs.shape[1])
    return torch.stack([inputs[g.records].mean(dim=0) for g in deal(inputs, one_each, groups)])


def start_images(
    part: ClassRecords,
    count: int,
    *,
    start: str,
    min_records: int,
    rng: torch.Generator,
    clock: Clock,
    until: float,
) -> Tensor:
    """Return the first synthetic images of a class, (m, *feature_shape), m <= count.

    `start` is one of the choices of `distiller.start`; `until` as in `class_means`.
    """
    if start in ("kmeans", "sharp"):
        return class_means(
            part.inputs, count, min_records=min_records, rng=rng, clock=clock, until=until
        )
    noise = torch.randn((count, *part.inputs.shape[1:]), generator=rng).to(part.inputs.device)
    if start == "class-mean":
        return part.inputs.mean(dim=0) + 0.1 * noise
    if start == "noise":
        return noise
    return real_images(part, count, rng=rng)


def real_images(part: ClassRecords, count: int, *, rng: torch.Generator) -> Tensor:
    """Return real records of a class as they are: for baselines, never for private data."""
    pick = torch.randperm(len(part.inputs), generator=rng)[:count]
    return part.inputs[pick.to(part.inputs.device)].clone()
