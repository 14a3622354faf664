"""Attacks on a sum of one vector a record: a record's own vector, in what the sum shows."""

from __future__ import annotations

import torch
from torch import Tensor

from fdd_flower.audit.protocol import Known
from fdd_flower.audit.released.base import Release, of_class
from fdd_flower.audit.sums.solve import solved
from fdd_flower.data.base import Split

RIDGE = 0.1  # of the mean variance, added to the covariance of the reference
FEWEST = 1 / 8  # of the records of the largest class, that a class counts at least


def traces(release: Release, records: Split, known: Known) -> dict[str, Tensor]:
    """Return three scores, (n,) each, from what the sum shows beyond its population.

    `trace` is <v - mean, observed - count mean>, after Homer et al. 2008 and Dwork et al. 2015;
    `trace-whitened` has the inverse covariance of the population between the two, which is the
    log-likelihood ratio where records are Gaussian. Mean and covariance are of the reference
    records. Both take all other records for unknown, and are compared with those of reference
    records of the same label. `solved` knows `records`, of which each was in by a fair coin, and
    solves for all coins of a class together: what the others add disturbs no more.
    """
    vectors = release.vectors(records)
    others = release.vectors(known.reference)
    own, theirs = _blocks(release, records), _blocks(release, known.reference)
    observed = release.observed()
    mean = of_class(others, theirs, len(observed))
    # how much of the mean there is in what is observed: as many records as fit it best
    count = (observed * mean).sum(1) / mean.square().sum(1).clamp_min(1e-12)
    beyond = observed - count[:, None] * mean
    apart, spread = vectors - mean[own], others - mean[theirs]
    covariance = spread.T @ spread / len(spread)
    ridge = RIDGE * covariance.diagonal().mean().clamp_min(1e-12)
    covariance.diagonal().add_(ridge)
    whitened = torch.linalg.solve(covariance, beyond.T).T
    found = {"solved": _coins(beyond, count, apart, own, release.noise)}
    for name, direction in (("trace", beyond), ("trace-whitened", whitened)):
        of_records = (apart * direction[own]).sum(1)
        of_others = (spread * direction[theirs]).sum(1)
        found[name] = calibrated(of_records, records.labels, of_others, known.reference.labels)
    return found


def calibrated(scores: Tensor, labels: Tensor, others: Tensor, other_labels: Tensor) -> Tensor:
    """Return scores (n,) in standard deviations from those of other records of the same label."""
    count = int(max(labels.max(), other_labels.max())) + 1
    mean = of_class(others[:, None], other_labels, count)[:, 0]
    square = of_class((others - mean[other_labels]).square()[:, None], other_labels, count)[:, 0]
    return (scores - mean[labels]) / square.sqrt()[labels].clamp_min(1e-12)


def _coins(beyond: Tensor, count: Tensor, apart: Tensor, blocks: Tensor, noise: float) -> Tensor:
    """Return the coins of the records that lie `apart` (n, d) from the means of their `blocks`."""
    found = apart.new_zeros(len(apart))
    count = count.clamp_min(FEWEST * float(count.max().clamp_min(1e-12)))
    for block in blocks.unique().tolist():
        own = blocks == block
        # releases say sums up to a factor: half of the candidates are in
        scale = float(int(own.sum()) / 2 / count[block])
        left = scale * beyond[block] - apart[own].sum(0) / 2
        found[own] = solved(left, apart[own], noise=scale * noise)
    return found


def _blocks(release: Release, records: Split) -> Tensor:
    return records.labels if release.by_class else torch.zeros_like(records.labels)
