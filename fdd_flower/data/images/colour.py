"""Grey records where others are coloured, and the other way round."""

from __future__ import annotations

import numpy as np

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601-2, as Pillow's grey


def with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Return images (n, 1 or 3, h, w) with 1 or 3 channels, in the type that they have."""
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=1)
    grey = np.tensordot(images.astype(np.float32), LUMA, axes=(1, 0))[:, None]
    return (np.round(grey) if images.dtype == np.uint8 else grey).astype(images.dtype)
