"""Selecting rows of merged sets and joining them: each row keeps its origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fdd_flower.synthetic_set import SyntheticSet, concatenate


def picked(whole: SyntheticSet, kept: Tensor) -> SyntheticSet:
    """Return the rows of a merged set that are `kept` (n, bool), in order."""
    return replace(
        whole,
        **{
            name: None if values is None else values[kept]
            for name in ("inputs", "targets", "weights", "origin")
            for values in [getattr(whole, name)]
        },
    )


def joined(sets: Sequence[SyntheticSet]) -> SyntheticSet:
    """Join sets whose rows know their origin, row by row in order.

    Raises
    ------
    WireError
        If there is none, or their feature shapes or class counts differ.
    """
    whole = concatenate(sets)
    return replace(whole, origin=torch.cat([one.origin for one in sets if one.origin is not None]))
