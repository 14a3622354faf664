"""Dedupe: rows that nearly repeat those of an earlier client are dropped."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fdd_flower.mergers._claims import ages, rebalanced
from fdd_flower.mergers._pick import picked
from fdd_flower.mergers.base import MERGERS, MergeRule
from fdd_flower.synthetic_set import SyntheticSet, concatenate

TILE = 512  # rows compared with the kept ones at once
# Root mean square of a difference, in standard deviations of the data, below which rows are one:
# what eight bits and a little noise change, and far below what lies between two records.
NEAR = 0.1


@MERGERS.register("dedupe")
class Dedupe(MergeRule):
    """`class-balanced` without the rows that repeat an earlier one of their class.

    A row repeats another where the root mean square of their difference is at most `NEAR`,
    in standard deviations of the data; of each such chain the first row in the order of clients
    stays, and of one client's the newest. Rows are compared as they are, not in features: nearly
    the same record is looked for, and not one that means the same. What goes leaves no weight
    behind, so that copies gain nothing.
    """

    def merge(self, parts: Sequence[SyntheticSet], *, rng: torch.Generator) -> SyntheticSet:
        """Return the first rows of their kind, in order; see `Merger.merge`.

        Raises
        ------
        WireError
            If there is no part, or their feature shapes or class counts differ.
        """
        whole = concatenate(parts)
        near = NEAR * whole.inputs[0].numel() ** 0.5
        kept = torch.zeros_like(whole.labels, dtype=torch.bool)
        for label in whole.labels.unique():
            places = (whole.labels == label).nonzero()[:, 0]
            kept[places[first_of_their_kind(whole.inputs[places].flatten(1), near)]] = True
        left = picked(whole, kept)
        return rebalanced(left, ages(parts, left.origin))


def first_of_their_kind(rows: Tensor, near: float) -> Tensor:
    """Return the places, int64, of rows (n, d) that no kept row before them is within `near` of."""
    kept = torch.empty(0, dtype=torch.int64, device=rows.device)
    for places in torch.arange(len(rows), device=rows.device).split(TILE):
        tile = rows[places]
        own = _within(tile, tile, near)
        gone = _within(tile, rows[kept], near).any(dim=1)
        for place in range(len(tile)):
            if not gone[place]:
                gone[place + 1 :] |= own[place, place + 1 :]
        kept = torch.cat([kept, places[~gone]])
    return kept


def _within(a: Tensor, b: Tensor, near: float) -> Tensor:
    # by products of matrices distances would be wrong where they are small
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist") <= near
