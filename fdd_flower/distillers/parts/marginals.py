"""The values of a table's columns: one per row, spread as the records are."""

from __future__ import annotations

import torch
from torch import Tensor

from fdd_flower.device import wide

TINY = 1e-12  # a column of one value has no spread to divide by


def with_marginals(rows: Tensor, records: Tensor, min_records: int) -> Tensor:
    """Return `rows` with each column's values replaced, rank by rank, by those of `records`.

    Rows that match moments of features still stand closer to their class mean than records do.
    Trees then find columns that separate classes only because the rows lack spread. Ranks keep
    which row is large in which column; the values come from the column itself.

    Quantile by quantile, as optimal transport does in one dimension (Rabin, Peyré, Delon and
    Bernot, SSVM 2011), along the columns alone: random directions besides them gained nothing
    beyond the noise of the measurement.

    Parameters
    ----------
    rows, records
        Of one class: (m, d) and (n, d).
    min_records
        Where a value would stand for fewer records than this, rows stay as they are: a class
        that has shrunk may have more rows than it has room for.
    """
    if len(records) < min_records * len(rows):
        return rows
    values = quantile_means(records, len(rows))
    return values.gather(0, rows.argsort(dim=0).argsort(dim=0)).to(rows.dtype)


def quantile_means(records: Tensor, count: int) -> Tensor:
    """Return `count` rising values for each column of `records` (n, d): float64, (count, d).

    Each is a mean over n / count records next to each other in that column, or one record more,
    so no value stands for fewer. They are then stretched to the column's own mean and standard
    deviation, which means lack; one value stays the mean.
    """
    column = wide(records)
    parts = column.sort(dim=0).values.tensor_split(count)
    means = torch.stack([part.mean(dim=0) for part in parts])
    centred = means - means.mean(dim=0)
    stretch = _deviation(column) / _deviation(means).clamp_min(TINY)
    return column.mean(dim=0) + centred * stretch


def _deviation(x: Tensor) -> Tensor:
    return x.std(dim=0, unbiased=False)
