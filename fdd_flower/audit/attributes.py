"""Attribute inference: a hidden part of each record, solved from what left the client."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fdd_flower.audit.distances import nearest
from fdd_flower.audit.metrics import auc
from fdd_flower.audit.protocol import Known
from fdd_flower.audit.released.base import Release
from fdd_flower.audit.sums.solve import solved as joint
from fdd_flower.audit.targets import Target
from fdd_flower.data.base import Split
from fdd_flower.rng import stream
from fdd_flower.schema import is_image

RIDGE = 0.03  # of the mean square of what a secret changes
LOW, HIGH = 0.02, 0.98  # quantiles of all values: what the hidden part may be


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """How well one hidden bit of each record is told; 0.5 is a coin.

    Attributes
    ----------
    linear
        AUC of the bits that solve a linear system, per class.
    nearest
        AUC of what the nearest row shows in place of the hidden part; None: there are no rows.
    """

    records: int
    linear: float
    nearest: float | None

    @property
    def auc(self) -> float:
        """The better of the two."""
        return max(self.linear, self.nearest or 0.0)


def attribute_attack(target: Target, members: Split, known: Known, *, seed: int) -> Attributes:
    """Give each record a secret bit, release, and solve for the bits.

    The bit fills a patch of the record with a low or a high value, by a coin: nothing else about a
    record tells it, so what is told is told by the release. The attacker knows all the rest of
    every record (Annamalai, Gadotti, Rocher 2024, arXiv:2301.10053).
    """
    coins = torch.rand(len(members), generator=stream(seed, "secrets")) < 0.5
    patch = patch_of(members.feature_shape)
    values = torch.quantile(known.reference.inputs.flatten()[:100_000], torch.tensor([LOW, HIGH]))
    low, high = (_filled(members, patch, value) for value in values)
    inputs = torch.where(coins.view(-1, *[1] * (low.inputs.ndim - 1)), high.inputs, low.inputs)
    marked = Split(inputs=inputs, labels=members.labels, classes=members.classes)
    release = target.release(marked, known, seed)
    secret = coins.numpy()
    return Attributes(
        records=len(members),
        linear=auc(solved(release, low, high), secret),
        nearest=None if release.rows is None else auc(_shown(release, low, patch), secret),
    )


def solved(release: Release, low: Split, high: Split) -> np.ndarray:
    """Return how much more of `high` than of `low` each record is, (n,), by ridge regression.

    observed = sum over records of v(low) + s (v(high) - v(low)), with s in [0, 1] unknown.
    """
    first, second = release.vectors(low), release.vectors(high)
    middle, change = (first + second) / 2, second - first
    observed = release.observed()
    blocks = low.labels if release.by_class else torch.zeros_like(low.labels)
    found = torch.zeros(len(low))
    for block in blocks.unique().tolist():
        own = blocks == block
        expected = middle[own].sum(0)
        # releases say sums up to a factor
        scale = (observed[block] * expected).sum() / expected.square().sum().clamp_min(1e-12)
        left = observed[block] / scale.abs().clamp_min(1e-12) - expected
        noise = release.noise / float(scale.abs().clamp_min(1e-12))
        found[own] = joint(left, change[own], noise=noise, ridge=RIDGE).float()
    return found.numpy()


def patch_of(feature_shape: tuple[int, ...]) -> Tensor:
    """Return the hidden part, bool of `feature_shape`.

    A corner of an image, a quarter of each side; else the first sixteenth of the values.
    """
    mask = torch.zeros(feature_shape, dtype=torch.bool)
    if is_image(feature_shape):
        height, width = (max(1, side // 4) for side in feature_shape[1:])
        mask[:, :height, :width] = True
    else:
        mask.view(-1)[: max(1, mask.numel() // 16)] = True
    return mask


def _filled(records: Split, patch: Tensor, value: Tensor) -> Split:
    inputs = records.inputs.masked_fill(patch, float(value))
    return Split(inputs=inputs, labels=records.labels, classes=records.classes)


def _shown(release: Release, records: Split, patch: Tensor) -> np.ndarray:
    """Return what the row nearest to each record, apart from the patch, has in the patch."""
    assert release.rows is not None
    rows = release.rows
    rest = ~patch.flatten()
    seen, shown = records.inputs.flatten(1)[:, rest], rows.inputs.flatten(1)
    _, which = nearest(seen, records.labels, shown[:, rest], rows.labels)
    values = shown[:, ~rest].mean(1)[which.clamp_min(0)]
    return torch.where(which >= 0, values, values.mean()).numpy()
