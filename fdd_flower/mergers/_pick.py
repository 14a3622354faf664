"""Some rows of a merged set, under weights of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from fdd_flower.synthetic_set import SyntheticSet


def picked(
    whole: SyntheticSet, kept: Tensor, weigh: Callable[[Tensor, Tensor], Tensor]
) -> SyntheticSet:
    """Return the rows of a merged set that are `kept` (n, bool), in order.

    Parameters
    ----------
    weigh
        Returns weights from the claims and labels of the rows that stay.
    """
    weights = weigh(whole.weights[kept], whole.labels[kept])
    origin = None if whole.origin is None else whole.origin[kept]
    return replace(
        whole, inputs=whole.inputs[kept], targets=whole.targets[kept], weights=weights,
        origin=origin,
    )  # fmt: skip
