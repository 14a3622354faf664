"""Images sent with fewer pixels and interpolated by the reader."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)

WHOLE = 16  # of the parts into which a side is divided
TILE = 1024  # images resized at once: floats take four times what codes take


def cell(height: int, width: int, sixteenths: int) -> tuple[int, int]:
    """Return the sides of an image of which `sixteenths` are sent, rounded up.

    >>> cell(28, 28, 16), cell(28, 28, 12), cell(28, 32, 1)
    ((28, 28), (21, 21), (2, 2))
    """
    return -(-height * sixteenths // WHOLE), -(-width * sixteenths // WHOLE)


def resize(codes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return images uint8 (n, c, h, w) as uint8 (n, c, height, width).

    Cubic interpolation, over as many pixels as fall together where it makes them fewer.
    """
    if codes.shape[2:] == (height, width):
        return codes
    fewer = height < codes.shape[2] or width < codes.shape[3]
    out = np.empty((*codes.shape[:2], height, width), np.uint8)
    for start in range(0, len(codes), TILE):
        values = torch.from_numpy(codes[start : start + TILE].astype(np.float32))
        resized = F.interpolate(
            values, size=(height, width), mode="bicubic", align_corners=False, antialias=fewer
        )
        out[start : start + TILE] = resized.round().clamp(0, 255).byte().numpy()
    return out
