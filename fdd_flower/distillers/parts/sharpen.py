"""Means of records, with the fine detail that averaging removed."""

from __future__ import annotations

from torch import Tensor

from fdd_flower.distillers.parts.clock import evenly
from fdd_flower.distillers.parts.packing import cosines

SEEN = 2_000  # records of a class that tell how much a frequency varies
TINY = 1e-6  # frequencies that no row has are left alone


def sharpened(rows: Tensor, records: Tensor) -> Tensor:
    """Return `rows` scaled, frequency by frequency, so that they vary as `records` do.

    Records agree on coarse shapes and not on fine ones, so a mean of n of them is blurred: where
    they have nothing in common, its deviation is 1 / sqrt(n) of theirs. No frequency is scaled
    up by more than sqrt(n), and none is scaled down. Nothing is added to a row: it is still made
    of the records that it is the mean of.

    Parameters
    ----------
    rows
        Means of records of a class, (m, channels, height, width).
    records
        All records of the class, (n, channels, height, width).

    Returns
    -------
    Tensor
        Like `rows`; the rows' mean is unchanged. A single row is returned as it is.
    """
    if len(rows) < 2:
        return rows
    tall, wide = (cosines(side).to(rows.device) for side in rows.shape[-2:])
    share = max(1.0, len(records) / len(rows))  # records that a row is the mean of
    some = records[evenly(len(records), min(SEEN, len(records)), device=records.device)]
    centre = rows.mean(dim=0)
    spectrum = tall @ (rows - centre) @ wide.T
    wanted = (tall @ (some - some.mean(dim=0)) @ wide.T).square().mean(dim=0)
    had = spectrum.square().mean(dim=0).clamp_min(TINY**2)
    gain = (wanted / had).clamp(1, share).sqrt()
    return centre + tall.T @ (spectrum * gain) @ wide
