"""TIFF files that Pillow does not know: colour of 16 bits, floats of 64."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fdd_flower.data.base import refuse


def read_deep_tiff(path: Path) -> np.ndarray:
    """Return the only page of a TIFF: float32 or uint8, (height, width, 1 or 3), by tifffile.

    Unsigned integers are scaled so that the largest value of their type is 1.

    Raises
    ------
    DataError
        If tifffile is not installed.
    ValueError
        If it has more pages, too many pixels, or channels other than grey or colour.
    """
    from PIL import Image

    try:
        import tifffile
    except ImportError as error:
        raise refuse(
            str(path),
            expected="tifffile, which reads such a TIFF",
            got="no such package",
            remedy="pip install 'fdd-flower[medical]', or save 8 or 16 bits of grey.",
        ) from error
    with tifffile.TiffFile(path) as file:
        if len(file.pages) != 1:
            raise ValueError(f"{len(file.pages)} pages in one file; save each as one of its own")
        page = file.pages.first
        most = Image.MAX_IMAGE_PIXELS or page.size
        if page.imagewidth * page.imagelength > most or page.size > 4 * most:
            raise ValueError(f"{page.imagewidth}x{page.imagelength} pixels, more than {most}")
        values, white_is_zero = page.asarray(), page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        if page.axes in ("SYX", "CYX"):
            values = np.moveaxis(values, 0, 2)
    values = values[:, :, None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[2] not in (1, 3) or values.dtype.kind not in "uif":
        raise ValueError(f"{values.dtype} of shape {values.shape}, neither grey nor colour")
    if white_is_zero and values.dtype.kind == "u":
        values = np.iinfo(values.dtype).max - values
    if values.dtype == np.uint8:
        return values
    scale = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
    return (values / scale).astype(np.float32)
