"""DICOM: the pixels that a scanner stored, as its window shows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.data.base import refuse

if TYPE_CHECKING:
    from pydicom import Dataset

DEFLATED = "1.2.840.10008.1.2.1.99"  # the transfer syntax of a file that is packed as a whole


def read_dicom(path: Path) -> np.ndarray:
    """Return the picture in a DICOM file, (height, width, 1 or 3), where more is brighter.

    With a window of its own (`WindowCenter`, `WindowWidth`, or a table) it is uint8, as a viewer
    shows it. Without one it is float32 from 0 to 1, over all values that its stored bits can hold.

    Raises
    ------
    DataError
        If pydicom is not installed.
    ValueError
        If it holds several pictures, too many pixels, or is packed as a whole.
    Exception
        Whatever pydicom raises of a damaged file.
    """
    from PIL import Image

    try:
        import pydicom
    except ImportError as error:
        raise refuse(
            str(path),
            expected="pydicom, which reads DICOM",
            got="no such package",
            remedy="pip install 'fdd-flower[medical]'.",
        ) from error
    from pydicom.filereader import read_file_meta_info

    if path.stat().st_size > 132:
        with path.open("rb") as file:
            marked = file.read(132).endswith(b"DICM")
        # it would be unpacked before its size is known
        if marked and read_file_meta_info(path).get("TransferSyntaxUID") == DEFLATED:
            raise ValueError("a DICOM file packed as a whole; save it with its pixels packed")
    found = pydicom.dcmread(path)
    if int(found.get("NumberOfFrames") or 1) > 1:
        raise ValueError(f"{found.NumberOfFrames} pictures in one file; save each as its own")
    rows, columns = int(found.Rows), int(found.Columns)
    if rows * columns > (Image.MAX_IMAGE_PIXELS or rows * columns):
        raise ValueError(f"{columns}x{rows} pixels, more than {Image.MAX_IMAGE_PIXELS} in all")
    if int(found.SamplesPerPixel) != 1:
        return _colour(found)
    return _grey(found)


def _colour(found: Dataset) -> np.ndarray:
    values = found.pixel_array  # in RGB: pydicom converts
    if values.dtype != np.uint8 or values.ndim != 3 or values.shape[2] != 3:
        raise ValueError(f"{values.dtype} colour of shape {values.shape}, not 8 bits of RGB")
    return values


def _grey(found: Dataset) -> np.ndarray:
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    values = np.asarray(apply_modality_lut(found.pixel_array, found), dtype=np.float64)
    by_table = bool(found.get("VOILUTSequence"))
    windowed = by_table or found.get("WindowWidth") is not None
    if windowed:
        shown = np.asarray(apply_voi_lut(values.astype(np.int64) if by_table else values, found))
    else:
        shown = values
    low, high = (0.0, _top(found.VOILUTSequence)) if by_table else _ends(found)
    shown = (shown - low) / (high - low)
    if found.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    if windowed:
        return np.round(255 * shown).astype(np.uint8)[:, :, None]
    return shown.astype(np.float32)[:, :, None]


def _ends(found: Dataset) -> tuple[float, float]:
    """Return the least and the largest value that the stored bits stand for."""
    if found.get("ModalityLUTSequence"):
        return 0.0, _top(found.ModalityLUTSequence)
    bits = int(found.BitsStored)
    low = -(2 ** (bits - 1)) if found.PixelRepresentation else 0
    slope = float(found.get("RescaleSlope") or 1)
    intercept = float(found.get("RescaleIntercept") or 0)
    return slope * low + intercept, slope * (low + 2**bits - 1) + intercept


def _top(tables: Sequence[Dataset]) -> float:
    """Return the largest value that a lookup table gives."""
    return float(2 ** int(tables[0].LUTDescriptor[2]) - 1)
