"""Public features of a record: the direction of its low frequencies, and its length.

Nothing here is fitted to records: every constant follows from the shape of an input. Inputs are
normalised by the public constants of the schema, to about unit variance.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor, nn

from fdd_flower.errors import ConfigError
from fdd_flower.schema import kind_of

RADIUS = 15  # frequencies of an image below it count: 190 of a grey one
ALONG = 128  # frequencies of a series that count, over its channels
LENGTH = 0.3  # weight of the length beside the direction
LARGEST = 600  # features: second moments grow with their square
# Luma and two differences of colours. Chroma takes half as many frequencies a side, and has about
# a twentieth of the variance each.
OPPONENT = ((1.0, 1.0, 1.0), (1.0, -1.0, 0.0), (1.0, 1.0, -2.0))
SHARES = (2.7, 0.15, 0.15)


class Spectrum(nn.Module):
    """Features whose norm is bounded by construction, and which lead back to a record.

    The low frequencies z of an input, by the orthonormal discrete cosine transform (images: those
    below `RADIUS`; series: the first `ALONG / channels` along time; all else: the values
    themselves), are weighted by 1 + their frequency, as natural spectra fall about so fast: w. The
    features are w / |w| and, beside it, `LENGTH` times |w| over its public prior, less 1, clipped
    to +-1.

    Attributes
    ----------
    size
        Features of a record.
    bound
        Their largest norm.

    Raises
    ------
    ConfigError
        If a record has more than `LARGEST` features.
    """

    rows: Tensor  # (kh, h)
    columns: Tensor  # (kw, w)
    colours: Tensor  # (c, c)
    keep: Tensor  # bool, (c, kh, kw): the frequencies that count
    weights: Tensor  # (size - 1,)

    def __init__(self, feature_shape: tuple[int, ...]) -> None:
        super().__init__()
        kind, c, h, w = kind_of(feature_shape), 1, 1, math.prod(feature_shape)
        if kind == "image":
            c, h, w = feature_shape
        elif kind == "series":
            c, w = feature_shape
        kh = min(h, RADIUS)
        kw = {"image": min(w, RADIUS), "series": min(w, max(1, ALONG // c))}.get(kind, w)
        square = torch.arange(h)[:, None].square() + torch.arange(w).square()
        if kind == "vector":
            square = torch.zeros_like(square)  # values have no frequency
        radius = square.double().sqrt()
        keep = (radius if kind == "image" else 0 * radius)[:kh, :kw].expand(c, kh, kw) < RADIUS
        colours, share = torch.eye(c), torch.ones(c)
        if kind == "image" and c == 3:
            colours = F.normalize(torch.tensor(OPPONENT), dim=1)
            share = torch.tensor(SHARES)
            keep = keep & (
                radius[:kh, :kw] < torch.tensor([1, 2, 2])[:, None, None] ** -1.0 * RADIUS
            )
        if (size := int(keep.sum()) + 1) > LARGEST:
            raise ConfigError(
                "features of a record",
                expected=f"at most {LARGEST} for second moments",
                got=size,
                remedy="Drop columns, or use another privacy.mode.",
            )
        natural = 1 / (1 + square.double())
        variance = share[:, None, None] * natural * (h * w / natural.sum())
        self.feature_shape, self.as_image = feature_shape, (c, h, w)
        self.size, self.bound = size, math.hypot(1, LENGTH)
        weights = (1 + radius)[:kh, :kw].expand(c, kh, kw)[keep]
        self.prior = float((weights * variance[:, :kh, :kw][keep].sqrt()).norm())
        fixed = {
            "rows": _cosines(kh, h),
            "columns": torch.eye(w) if kind == "vector" else _cosines(kw, w),
            "colours": colours,
            "keep": keep,
            "weights": weights.float(),
        }
        for name, tensor in fixed.items():
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the features (n, size) of inputs (n, *feature_shape)."""
        planes = torch.einsum("dc,nchw->ndhw", self.colours, inputs.view(-1, *self.as_image))
        weighted = (self.rows @ planes @ self.columns.T)[:, self.keep] * self.weights
        length = weighted.norm(dim=1, keepdim=True)
        beside = LENGTH * (length / self.prior - 1).clamp(-1, 1)
        return torch.cat([weighted / length.clamp_min(1e-12), beside], dim=1)

    def inputs(self, features: Tensor) -> Tensor:
        """Return inputs (n, *feature_shape) with such features; other frequencies are 0."""
        direction = features[:, :-1] / features[:, :-1].norm(dim=1, keepdim=True).clamp_min(1e-12)
        length = self.prior * (1 + features[:, -1:] / LENGTH).clamp_min(0.05)
        planes = features.new_zeros(len(features), *self.keep.shape)
        planes[:, self.keep] = direction * length / self.weights
        planes = self.rows.T @ planes @ self.columns
        found = torch.einsum("dc,ndhw->nchw", self.colours, planes)
        return found.reshape(-1, *self.feature_shape)


def _cosines(count: int, size: int) -> Tensor:
    """Return the lowest rows (count, size) of the orthonormal DCT-II."""
    angles = torch.arange(count)[:, None] * (2 * torch.arange(size) + 1) * (math.pi / 2 / size)
    table = angles.double().cos() * math.sqrt(2 / size)
    table[0] /= math.sqrt(2)
    return table.float()
