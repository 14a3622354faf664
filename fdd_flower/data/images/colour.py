"""Grey records where others are coloured, and the other way round; deep ones where some are."""

from __future__ import annotations

import numpy as np

from fdd_flower.data.large import by_tiles

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601-2, as Pillow's grey


def with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Return images (n, 1 or 3, h, w) with 1 or 3 channels, in the type that they have."""
    if images.shape[1] == channels:
        return images
    change = _coloured if channels == 3 else _grey
    return by_tiles(lambda some: change(images[some]), len(images))


def _coloured(images: np.ndarray) -> np.ndarray:
    return np.repeat(images, 3, axis=1)


def _grey(images: np.ndarray) -> np.ndarray:
    grey = np.tensordot(images.astype(np.float32), LUMA, axes=(1, 0))[:, None]
    return (np.round(grey) if images.dtype == np.uint8 else grey).astype(images.dtype)


def as_deep(images: np.ndarray) -> np.ndarray:
    """Return uint8 images as float32, where 255 is 1."""
    return by_tiles(lambda some: images[some].astype(np.float32) / 255, len(images))
