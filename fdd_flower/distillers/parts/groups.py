"""Groups of a class's records, each of which has rows of its own that are to match it.

The moments of a whole class say little of where many rows should lie; those of a group of it say
more, the smaller it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fdd_flower.data.large import IN_MEMORY
from fdd_flower.device import wide
from fdd_flower.distillers.base import ClassRecords
from fdd_flower.distillers.parts.clock import evenly

EXACT = 32  # values of a record up to which its principal axis is exact
SEEN, POWERS = 128, 6  # records that it is found by beyond that, and steps of the power method
TINY = 1e-12  # equal records have no axis


@dataclass(frozen=True, slots=True)
class Group:
    """Places, int64: of some of a class's records, and of the rows that stand for them."""

    records: Tensor  # (n,)
    rows: Tensor  # (m,)


def count_of(rows: int, *, cells: int, size: int) -> int:
    """Return into how many groups a class of `rows` rows, of `cells` images each, is split.

    `size` is the least number of images of a group; 0 leaves the class whole.
    """
    return max(1, min(rows, rows * cells // size)) if size else 1


def deal(records: Tensor, rows: Tensor, groups: int) -> list[Group]:
    """Cut records (n, d) into groups of neighbours, and deal rows (m, d) out to them, m >= groups.

    Over and over in two across the principal axis of the records (principal direction divisive
    partitioning, Boley, 1998; differs: cut at a rank): the rows in proportion to the groups on
    either side, and the records in proportion to the rows, so that each row stands for as many.
    Rows that are means of the records of one group come to it,
    others to where they lie nearest.
    """
    device = records.device
    whole = Group(torch.arange(len(records), device=device), torch.arange(len(rows), device=device))
    return _deal(records, rows, whole, groups)


def _deal(records: Tensor, rows: Tensor, held: Group, groups: int) -> list[Group]:
    if groups == 1:
        return [held]
    axis, left = principal_axis(records[held.records]), groups // 2
    first = len(held.rows) * left // groups
    low = len(held.records) * first // len(held.rows)
    own, dealt = _ranked(records, held.records, axis, low), _ranked(rows, held.rows, axis, first)
    return [
        group
        for place, wanted in ((0, left), (1, groups - left))
        for group in _deal(records, rows, Group(own[place], dealt[place]), wanted)
    ]


def _ranked(table: Tensor, held: Tensor, axis: Tensor, cut: int) -> Sequence[Tensor]:
    """Return the `cut` places of `held` that lie lowest along `axis`, and the others."""
    tiles = held.split(max(1, IN_MEMORY // table[:1].nbytes))
    along = torch.cat([table[tile].to(axis.dtype) @ axis for tile in tiles])
    return held[along.argsort(stable=True)].tensor_split([cut])


def principal_axis(inputs: Tensor) -> Tensor:
    """Return the principal axis of a table (n, d): (d,), double of narrow tables.

    Of wide tables it is that of a few rows, by the power method from the farthest of them.
    """
    if inputs.shape[1] <= EXACT:
        centred = wide(inputs - inputs.mean(dim=0))
        return torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -1]
    few = inputs[evenly(len(inputs), SEEN, device=inputs.device)]
    centred = few - few.mean(dim=0)
    centred = centred / centred.norm().clamp_min(TINY)  # no power of it overflows, or vanishes
    axis = centred[centred.square().sum(dim=1).argmax()]
    for _ in range(POWERS):
        axis = centred.T @ (centred @ axis)
    return axis


def parts_of(part: ClassRecords, *, cells: int, size: int) -> Iterator[ClassRecords]:
    """Yield the groups of `part` as parts of their own, before there is a row.

    Each has its share of the rows of `part`: together as many as it has.
    """
    groups = count_of(part.rows, cells=cells, size=size)
    if groups == 1:
        yield part
        return
    records = part.inputs.flatten(1)
    places = records.new_zeros(part.rows, records.shape[1])  # only their number counts
    for group in deal(records, places, groups):
        yield replace(part, inputs=part.inputs[group.records], rows=len(group.rows))
