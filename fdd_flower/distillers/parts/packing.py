"""Packing: several records in the space of one, at lower resolution or with fewer frequencies."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.synthetic_set import SyntheticSet


@dataclass(frozen=True, slots=True)
class Packing:
    """How rows hold images or series.

    Attributes
    ----------
    factor
        A row holds `factor` x `factor` images or `factor` series; 1 leaves them as they are, in
        each basis.
    basis
        `pixels`: images down-sampled by area, side by side (the multi-formation of IDC,
        arXiv:2205.14959, with equal parts). `dct`: the lowest h * w // factor**2 frequencies of
        each image's orthonormal cosine transform, one image after the other (as FreD,
        arXiv:2311.08819, but the same frequencies for every class, so that none need be sent).
        `time`: the lowest t // factor frequencies of each channel of a series, likewise.
    """

    factor: int = 1
    basis: str = "pixels"

    @property
    def cells(self) -> int:
        """Records in one row."""
        return self.factor if self.basis == "time" else self.factor**2

    def pack(self, images: Tensor) -> Tensor:
        """Return rows (n, c, h, w) that hold images (n * cells, c, h, w), or series (n, c, t).

        Neighbours on the first axis share a row. What the images of a row do not fill repeats
        the border (pixels) or is zero (dct, time).
        """
        return images if self.factor == 1 else _PACK[self.basis](images, self.factor)

    def images(self, rows: Tensor) -> Tensor:
        """Return the records (n * cells, c, ...) in rows (n, c, ...); differentiable.

        They are up-sampled bilinearly (pixels), or lack the higher frequencies (dct, time).
        """
        return rows if self.factor == 1 else _UNPACK[self.basis](rows, self.factor)

    def unpack(self, packed: SyntheticSet) -> SyntheticSet:
        """Return the set of the records in `packed`.

        Each has its row's target and its share of the row's weight: soft labels of packed sets
        are those of the row.
        """
        if self.factor == 1:
            return packed
        return replace(
            packed,
            inputs=self.images(packed.inputs).contiguous(),
            targets=packed.targets.repeat_interleave(self.cells, dim=0),
            weights=(packed.weights / self.cells).repeat_interleave(self.cells),
        )


def _pack_pixels(images: Tensor, factor: int) -> Tensor:
    count, channels, height, width = images.shape
    small = (height // factor, width // factor)
    cells = F.interpolate(images, size=small, mode="area")
    cells = cells.view(count // factor**2, factor, factor, channels, *small)
    rows = cells.permute(0, 3, 1, 4, 2, 5).reshape(-1, channels, *(s * factor for s in small))
    missing = (0, width - small[1] * factor, 0, height - small[0] * factor)
    return F.pad(rows, missing, mode="replicate")


def _unpack_pixels(rows: Tensor, factor: int) -> Tensor:
    count, channels, height, width = rows.shape
    small = (height // factor, width // factor)
    cells = rows[:, :, : small[0] * factor, : small[1] * factor]
    cells = cells.reshape(count, channels, factor, small[0], factor, small[1])
    cells = cells.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, *small)
    return F.interpolate(cells, size=(height, width), mode="bilinear", align_corners=False)


def _pack_frequencies(images: Tensor, factor: int) -> Tensor:
    count, channels, height, width = images.shape
    places = lowest_frequencies(height, width, height * width // factor**2)
    rows, columns = cosines(height).to(images), cosines(width).to(images)
    kept = (rows @ images @ columns.T).flatten(2)[:, :, places.to(images.device)]
    flat = kept.view(count // factor**2, factor**2, channels, -1).transpose(1, 2).flatten(2)
    flat = F.pad(flat, (0, height * width - flat.shape[2]))
    return flat.view(-1, channels, height, width)


def _unpack_frequencies(rows: Tensor, factor: int) -> Tensor:
    count, channels, height, width = rows.shape
    places = lowest_frequencies(height, width, height * width // factor**2)
    kept = rows.flatten(2)[:, :, : factor**2 * len(places)]
    kept = kept.reshape(count, channels, factor**2, -1).transpose(1, 2).flatten(0, 1)
    empty = kept.new_zeros(*kept.shape[:2], height * width)
    table = empty.index_copy(2, places.to(rows.device), kept).view(-1, channels, height, width)
    return cosines(height).to(rows).T @ table @ cosines(width).to(rows)


def _pack_time(series: Tensor, factor: int) -> Tensor:
    count, channels, steps = series.shape
    low = cosines(steps).to(series)[: steps // factor]
    kept = (series @ low.T).view(count // factor, factor, channels, -1)
    rows = kept.transpose(1, 2).flatten(2)
    return F.pad(rows, (0, steps - rows.shape[2]))


def _unpack_time(rows: Tensor, factor: int) -> Tensor:
    count, channels, steps = rows.shape
    low = cosines(steps).to(rows)[: steps // factor]
    kept = rows[:, :, : factor * len(low)].view(count, channels, factor, -1)
    return kept.transpose(1, 2).flatten(0, 1) @ low


_PACK = {"pixels": _pack_pixels, "dct": _pack_frequencies, "time": _pack_time}
_UNPACK = {"pixels": _unpack_pixels, "dct": _unpack_frequencies, "time": _unpack_time}


@lru_cache(maxsize=16)
def cosines(side: int) -> Tensor:
    """Return the orthonormal DCT-II of a signal of `side` values: (side, side), float32."""
    k = torch.arange(side, dtype=torch.double)
    table = torch.cos(math.pi * (k[None] + 0.5) * k[:, None] / side) * math.sqrt(2 / side)
    table[0] /= math.sqrt(2)
    return table.float()


@lru_cache(maxsize=16)
def lowest_frequencies(height: int, width: int, count: int) -> Tensor:
    """Return the places (count,) in a flattened (height, width) table of the lowest frequencies.

    Frequencies are ordered by their length in cycles a pixel, ties by place.
    """
    rows = torch.arange(height, dtype=torch.double)[:, None] / height
    columns = torch.arange(width, dtype=torch.double)[None] / width
    return (rows.square() + columns.square()).flatten().argsort(stable=True)[:count]
