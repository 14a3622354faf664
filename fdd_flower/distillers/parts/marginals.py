"""The values of a table's columns: one per row, spread as the records are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from fdd_flower.device import on_host, wide
from fdd_flower.schema import Column

TINY = 1e-12  # a column of one value has no spread to divide by
LEAST = 1e-9  # of a row: what rounding leaves of one that was dealt out


def with_marginals(
    rows: Tensor, records: Tensor, min_records: int, columns: Iterable[Column] = ()
) -> Tensor:
    """Return `rows` with each column's values replaced by those of `records`, as far as ranks go.

    Rows that match moments of features still stand closer to their class mean than records do.
    Trees then find columns that separate classes only because the rows lack spread. Ranks keep
    which row is large in which column; the values come from the column itself.

    Numbers go quantile by quantile, as optimal transport does in one dimension (Rabin, Peyré,
    Delon and Bernot, SSVM 2011), along the columns alone: random directions besides them gained
    nothing beyond the noise of the measurement. The levels of a category are dealt out
    (`with_levels`), and where cells are missing a row has a number or has none (`with_gaps`).

    Parameters
    ----------
    rows, records
        Of one class: (m, d) and (n, d).
    min_records
        Where a value would stand for fewer records than this, rows stay as they are: a class
        that has shrunk may have more rows than it has room for.
    columns
        What the features are of; none: all are numbers.
    """
    if len(records) < min_records * len(rows):
        return rows
    found = ranked(rows, quantile_means(records, len(rows)))
    for column, features in features_of(columns):
        own, theirs = rows[:, features], records[:, features]
        if column.kind == "category":
            found[:, features] = with_levels(own, theirs)
        elif column.gaps:
            found[:, features] = with_gaps(own, theirs, min_records)
        elif column.kind == "yes/no":
            found[:, features] = ranked(own, quantile_means(theirs, len(rows), stretch=False))
    return found.to(rows.dtype)


def features_of(columns: Iterable[Column]) -> Iterator[tuple[Column, slice]]:
    """Yield the columns that are read, and where their features are."""
    start = 0
    for column in columns:
        end = start + len(column.features)
        if end > start:
            yield column, slice(start, end)
        start = end


def ranked(rows: Tensor, values: Tensor) -> Tensor:
    """Return rising `values` (m, d) in the order, a column at a time, of `rows` (m, d)."""
    return values.gather(0, rows.argsort(dim=0).argsort(dim=0))


def quantile_means(records: Tensor, count: int, *, stretch: bool = True) -> Tensor:
    """Return `count` rising values for each column of `records` (n, d): float64, (count, d).

    Each is a mean over n / count records next to each other in that column, or one record more,
    so no value stands for fewer. They are then stretched to the column's own mean and standard
    deviation, which means lack; one value stays the mean.
    """
    return means_of(records, sizes_of(len(records), count), stretch=stretch)


def sizes_of(n: int, count: int) -> list[int]:
    """Return the sizes of `count` groups of `n` records: as `tensor_split` has them."""
    return [n // count + (place < n % count) for place in range(count)]


def means_of(records: Tensor, sizes: list[int], *, stretch: bool = True) -> Tensor:
    """Return rising means of so many records each; see `quantile_means`."""
    column = wide(records)
    means = torch.stack([part.mean(dim=0) for part in column.sort(dim=0).values.split(sizes)])
    if not stretch:
        return means
    centred = means - means.mean(dim=0)
    scale = _deviation(column) / _deviation(means).clamp_min(TINY)
    return column.mean(dim=0) + centred * scale


def _deviation(x: Tensor) -> Tensor:
    return x.std(dim=0, unbiased=False)


def with_gaps(rows: Tensor, records: Tensor, min_records: int = 1) -> Tensor:
    """Return rows (m, d) of a column whose cells may be missing, as its last feature says: float64.

    The same share of rows as of records has no value, and has the fill value in its place. One row
    may lack its value in part, and is then between the two. A row with a value stands for as many
    records that have one; where those would be fewer than `min_records`, it has the fill value, and
    its records count to another row.
    """
    lacks = records[:, -1] > 0.5
    if not bool(lacks.any()):
        return ranked(rows, quantile_means(records, len(rows)))
    found = wide(records[lacks, :-1]).mean(dim=0).expand(len(rows), -1).clone()
    sizes = torch.tensor(sizes_of(len(records), len(rows)), device=rows.device)
    missing = quantile_means(records[:, -1:], len(rows), stretch=False)
    ranks = rows[:, -1].argsort().argsort()
    held = ((1 - missing[:, 0]) * sizes).round().long()[ranks]  # records of a row with a value
    few = held < min_records
    spare = held[few].sum()
    held[few] = 0
    missing, has = missing[ranks], held > 0
    held[held.argmax()] += spare  # counts to no row if none has a value
    for place in range(found.shape[1]) if bool(has.any()) else ():
        order = rows[has, place].argsort(stable=True)
        values = means_of(records[~lacks, place, None], held[has][order].tolist())
        own = torch.empty_like(values[:, 0])
        own[order] = values[:, 0]
        found[has, place] = torch.lerp(own, found[has, place], missing[has, 0])
    return torch.cat([found, missing], dim=1)


def with_levels(rows: Tensor, records: Tensor) -> Tensor:
    """Return rows of shares (m, levels) whose means are those of `records` (n, levels).

    A row keeps the level that it has most of, as long as some of that level is left: the largest
    entries are served first. Most rows are then of one level, and the others between a few. It is a
    transport plan from rows to levels, found greedily: the optimal plan may give a single row any
    level for the sake of all others together.

    Parameters
    ----------
    rows
        Any numbers: how much a row is of a level.
    records
        0 or 1, one 1 a record.
    """
    room = len(rows) * on_host(records).double().mean(dim=0).numpy()
    return torch.from_numpy(dealt(on_host(rows).double().numpy(), room)).to(wide(rows))


def dealt(wanted: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Return shares (m, k) of which each row sums to 1 and column j to `room[j]`.

    Parameters
    ----------
    wanted
        float64, (m, k): who wants most is served first, of equals the first.
    room
        float64, (k,), from 0, of sum m.
    """
    shares, left, room = np.zeros_like(wanted), np.ones(len(wanted)), room.copy()
    for place in np.argsort(-wanted, axis=None, kind="stable").tolist():
        row, level = divmod(place, len(room))
        given = min(left[row], room[level])
        if given > LEAST:
            shares[row, level] = given
            left[row] -= given
            room[level] -= given
    return shares
