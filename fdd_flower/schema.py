"""The public contract of a record: its shape, its classes, and the constants it is scaled by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Kind = Literal["image", "series", "vector"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """Public constants: (x - mean) / std, a channel (images) or a feature (vectors) each.

    uint8 values are divided by 255 first, so the constants of images are in [0, 1].
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def apply(self, inputs: np.ndarray) -> Tensor:
        """Return float32 model inputs of the same shape (n, c or d, ...)."""
        x = torch.from_numpy(np.array(inputs, dtype=np.float32))
        if inputs.dtype == np.uint8:
            x /= 255
        return (x - self._column(self.mean, x)) / self._column(self.std, x)

    def invert(self, inputs: Tensor) -> Tensor:
        """Return model inputs in the units of the data (images: [0, 1])."""
        return inputs * self._column(self.std, inputs) + self._column(self.mean, inputs)

    @property
    def of_unit_range(self) -> bool:
        """Whether they can be of values in [0, 1], as of images: else the data had other units."""
        # a spread above one half is impossible there; exactly 1 stands for a constant channel
        pairs = zip(self.mean, self.std, strict=True)
        return all(0 <= mean <= 1 and (std <= 0.5 or std == 1) for mean, std in pairs)

    def _column(self, values: tuple[float, ...], x: Tensor) -> Tensor:
        return torch.tensor(values).view(1, -1, *[1] * (x.ndim - 2))


def is_image(feature_shape: tuple[int, ...]) -> bool:
    """Tell whether a feature shape is (channels, height, width)."""
    return len(feature_shape) == 3


def kind_of(feature_shape: tuple[int, ...]) -> Kind:
    """Return what a feature shape is of: (c, h, w) an image, (c, t) a series, all else a vector."""
    if is_image(feature_shape):
        return "image"
    return "series" if len(feature_shape) == 2 else "vector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What all parties of a federation agree on about a record; none of it is private.

    Attributes
    ----------
    classes
        Names of the classes, in the order of labels and of target columns.
    feature_shape
        Shape of one input as a model takes it.
    normalisation
        The way between the units of the data and a model's inputs.
    columns
        Names of the features of a table, in order; empty where they have none.
    """

    classes: tuple[str, ...]
    feature_shape: tuple[int, ...]
    normalisation: Normalisation
    columns: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """Whether a record is an image, a series or a vector."""
        return kind_of(self.feature_shape)
