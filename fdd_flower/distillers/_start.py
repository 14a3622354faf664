"""Where synthetic rows start: k-means centres, noise round the class mean, noise, real rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from fdd_flower.distillers.base import ClassRecords
from fdd_flower.rng import fork


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
    flat = inputs.flatten(1).numpy()
    members = dissolve_small(flat, lloyd(flat, rows, seed=fork(rng)), min_records)
    members = halve_large(flat, members, rows, min_records, seed=fork(rng))
    centres = np.stack([flat[members == cluster].mean(axis=0) for cluster in np.unique(members)])
    return torch.from_numpy(centres).view(-1, *inputs.shape[1:])


def lloyd(flat: np.ndarray, clusters: int, *, seed: int) -> np.ndarray:
    """Return the k-means cluster, from 0, of each row of `flat` (n, d): int, (n,)."""
    from sklearn.cluster import KMeans

    options: dict[str, Any] = {"n_init": 1, "random_state": seed}
    return np.asarray(KMeans(n_clusters=clusters, **options).fit(flat).labels_)


def dissolve_small(flat: np.ndarray, members: np.ndarray, min_records: int) -> np.ndarray:
    """Return cluster memberships (n,) in which no cluster has fewer than `min_records`.

    The smallest cluster goes first, its records each to the nearest remaining centre, until
    all are large enough or one is left.
    """
    members = members.copy()
    while True:
        names, sizes = np.unique(members, return_counts=True)
        if len(names) == 1 or sizes.min() >= min_records:
            return members
        smallest, others = names[sizes.argmin()], np.delete(names, sizes.argmin())
        centres = np.stack([flat[members == name].mean(axis=0) for name in others])
        orphans = members == smallest
        distances = ((flat[orphans, None] - centres[None]) ** 2).sum(axis=-1)
        members[orphans] = others[distances.argmin(axis=1)]


def halve_large(
    flat: np.ndarray, members: np.ndarray, rows: int, min_records: int, *, seed: int
) -> np.ndarray:
    """Return cluster memberships (n,) with up to `rows` clusters, none below `min_records`.

    The largest cluster is cut in two by 2-means, over and over; one whose halves would be
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

    Records are cut in two across their principal axis, over and over, in proportion to the groups
    wanted on either side, so that each group has n / groups records or up to one more. Principal
    direction divisive partitioning (Boley, 1998); differs: equal sizes, cut at a rank.
    """
    if groups == 1:
        return inputs.mean(dim=0, keepdim=True)
    centred = (inputs - inputs.mean(dim=0)).double()
    axis = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -1]
    order = (centred @ axis).argsort()
    left = groups // 2
    cut = len(inputs) * left // groups
    halves = ((order[:cut], left), (order[cut:], groups - left))
    return torch.cat([group_means(inputs[held], wanted) for held, wanted in halves])


def start_images(
    part: ClassRecords, count: int, *, start: str, min_records: int, rng: torch.Generator
) -> Tensor:
    """Return the first synthetic images of a class, (m, *feature_shape), m <= count.

    `start` is one of the choices of `distiller.start`.
    """
    if start == "kmeans":
        centres = kmeans_centres(part.inputs, count, min_records=min_records, rng=rng)
        # Clusters are uneven: of wine they fill 10 of the 15 rows that `min_records` has room for.
        short = part.inputs.ndim == 2 and len(centres) < count
        return group_means(part.inputs, count) if short else centres
    noise = torch.randn((count, *part.inputs.shape[1:]), generator=rng)
    if start == "class-mean":
        return part.inputs.mean(dim=0) + 0.1 * noise
    if start == "noise":
        return noise
    return real_images(part, count, rng=rng)


def real_images(part: ClassRecords, count: int, *, rng: torch.Generator) -> Tensor:
    """Return real records of a class as they are: for baselines, never for private data."""
    return part.inputs[torch.randperm(len(part.inputs), generator=rng)[:count]].clone()
