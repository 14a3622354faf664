"""How large a baseline may be at the bytes of a distilled set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch

from fdd_flower.synthetic_set import SyntheticSet

T = TypeVar("T")

TRIES = 16


@dataclass(frozen=True, slots=True)
class Fit(Generic[T]):
    """A try: rows asked for a class, the bytes it takes, and what was made."""

    ipc: int
    bytes: int
    made: T


@dataclass(frozen=True, slots=True)
class Bracket(Generic[T]):
    """The largest try that fits and the smallest that does not; None: there is no such."""

    fits: Fit[T] | None
    above: Fit[T] | None


def bracket_rows(make: Callable[[int], tuple[int, T]], *, target: int, start: int) -> Bracket[T]:
    """Return what lies on either side of `target` bytes.

    Parameters
    ----------
    make
        From rows per class to the bytes that such a set takes, which grow with the rows (nearly:
        a lossy codec may waver), and the set.
    start
        Where to look first. A codec of fixed size needs one look if that is what was distilled.
    """
    fits: Fit[T] | None = None
    above: Fit[T] | None = None
    ipc = start
    for _ in range(TRIES):
        found = Fit(ipc, *make(ipc))
        if found.bytes > target:
            above = found
        elif fits is not None and found.bytes <= fits.bytes:
            break  # no class has records for more rows
        else:
            fits = found
        lowest = fits.ipc + 1 if fits else 1
        highest = above.ipc - 1 if above else 2 * ipc + 8
        if found.bytes == target or lowest > highest:
            break
        ipc = min(max(_guess(fits, above, target), lowest), highest)
    return Bracket(fits, above)


def _guess(fits: Fit[T] | None, above: Fit[T] | None, target: int) -> int:
    """Return the rows at which a straight line through what is known meets `target`."""
    if fits is not None and above is not None:
        slope = (above.bytes - fits.bytes) / (above.ipc - fits.ipc)
        return fits.ipc + int((target - fits.bytes) / slope)
    known = fits or above
    assert known is not None
    return int(known.ipc * target / known.bytes)


def fewest_dropped(size: Callable[[int], int], *, most: int, target: int) -> int | None:
    """Return how many rows must go, from 1 to `most`, for `size` to be at most `target` bytes.

    None if even `most` are too few.
    """
    low, high = 1, most
    if most < 1 or size(most) > target:
        return None
    while low < high:
        middle = (low + high) // 2
        if size(middle) <= target:
            high = middle
        else:
            low = middle + 1
    return low


def drop_rows(part: SyntheticSet, count: int) -> SyntheticSet:
    """Return `part` without `count` rows: each the last of the class that then has most.

    The rows left stand for all of their class's records.
    """
    labels = part.labels
    sizes = torch.bincount(labels, minlength=part.num_classes)
    left = sizes.clone()
    for _ in range(count):
        left[left.argmax()] -= 1
    rank = torch.zeros_like(labels)  # a row's place in its class
    for label in labels.unique():
        held = labels == label
        rank[held] = torch.arange(int(held.sum()))
    kept = rank < left[labels]
    before = torch.zeros(part.num_classes).index_add_(0, labels, part.weights)
    weights = part.weights[kept]
    after = torch.zeros(part.num_classes).index_add_(0, labels[kept], weights)
    return replace(
        part,
        inputs=part.inputs[kept],
        targets=part.targets[kept],
        weights=weights * (before / after)[labels[kept]],
    )


def spare_rows(part: SyntheticSet) -> int:
    """Return how many rows can go before a class has none."""
    return len(part) - len(part.labels.unique())
