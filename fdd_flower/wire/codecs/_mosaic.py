"""Many images of one size side by side in one, so that they share the overhead of a file."""

from __future__ import annotations

import math

import numpy as np

MAX_SIDE = 16_383  # pixels: the most that WebP can say
MAX_PIXELS = 2**26  # of one mosaic; below what makes Pillow warn of a decompression bomb


def max_cells(height: int, width: int) -> int:
    """Return how many images (height, width) one mosaic can hold; 0 if not even one."""
    by_side = (MAX_SIDE // height) * (MAX_SIDE // width)
    return min(by_side, MAX_PIXELS // (height * width))


def grid(count: int, height: int, width: int) -> tuple[int, int]:
    """Return the rows and columns of cells of a mosaic of `count` images, at most `max_cells`.

    From nearly square to twice as wide, whatever leaves the fewest cells unused.
    """
    square = math.ceil(math.sqrt(count * height / width))
    widest = MAX_SIDE // width
    fewest = min(max(square, math.ceil(count / (MAX_SIDE // height))), widest)
    columns = min(
        range(fewest, min(2 * fewest, widest) + 1),
        key=lambda c: (c * math.ceil(count / c), c),
    )
    return math.ceil(count / columns), columns


def tile(images: np.ndarray) -> np.ndarray:
    """Return the mosaic (H, W, c) of uint8 images (n, c, h, w), row by row from the left."""
    n, c, h, w = images.shape
    rows, columns = grid(n, h, w)
    # One flat colour costs next to nothing; an image repeated costs nearly what it did before.
    cells = np.empty((rows * columns, c, h, w), np.uint8)
    cells[:n], cells[n:] = images, images.mean(axis=(0, 2, 3), keepdims=True)
    cells = cells.reshape(rows, columns, c, h, w)
    return cells.transpose(0, 3, 1, 4, 2).reshape(rows * h, columns * w, c)


def untile(mosaic: np.ndarray, count: int, height: int, width: int) -> np.ndarray:
    """Return the `count` images (n, c, h, w) of a mosaic (H, W, c) that `tile` made."""
    rows, columns = grid(count, height, width)
    cells = mosaic.reshape(rows, height, columns, width, -1).transpose(0, 2, 4, 1, 3)
    return cells.reshape(rows * columns, -1, height, width)[:count]
