"""The pixels of one image file, in the form that all records have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.data.base import refuse
from fdd_flower.data.images.dicom import read_dicom
from fdd_flower.data.images.files import formats, is_dicom
from fdd_flower.data.images.tiff import read_deep_tiff
from fdd_flower.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

DEEP = ("I", "F")
GREY = ("1", "L", "LA", "La")
MOVING = ("GIF", "PNG", "WEBP", "AVIF", "TIFF")  # elsewhere a second picture is a preview


def read_image(
    path: Path,
    size: tuple[int, int],
    *,
    channels: int | None = None,
    resize: str = "stretch",
    ground: str = "white",
) -> np.ndarray:
    """Return an image (height, width, c), upright as its EXIF says.

    8 bits a channel come as uint8. More come as float32 on the same scale, where 1 is the largest
    value of the type; what has no largest value, such as a TIFF of floats, as it is.

    Parameters
    ----------
    size
        Height and width that it is brought to.
    channels
        c, 1 or 3; None: 1 for a grey image and 3 for any other.
    resize
        `stretch` it, `pad` it with black, or `crop` it around its centre.
    ground
        What shows where it is transparent.

    Raises
    ------
    DataError
        If it cannot be read to its end, moves, or has so many pixels that Pillow takes it for a
        decompression bomb.
    """
    try:
        found = _decoded(path, channels, ground)
        return _fitted(found, size, resize)
    except DataError:
        raise
    # Decoders raise anything from SyntaxError to struct.error on a damaged file.
    except Exception as error:
        raise refuse(
            str(path),
            expected="an image that Pillow can read to its end",
            got=error,
            remedy="Replace or remove the file.",
        ) from error


def _decoded(path: Path, channels: int | None, ground: str) -> list[Picture]:
    """Return an image as one picture of mode L or RGB, or as one of mode F for each channel."""
    from PIL import Image, UnidentifiedImageError

    if not path.stat().st_size:
        raise ValueError("an empty file")
    if is_dicom(path):
        return _pictures(_as_asked(read_dicom(path), channels))
    try:
        with Image.open(path, formats=formats()) as opened:
            if not (opened.format == "TIFF" and _is_cut(opened)):
                return _opened(opened, channels, ground)
    except UnidentifiedImageError:
        if path.suffix.lower() not in (".tif", ".tiff"):
            raise
    return _pictures(_as_asked(read_deep_tiff(path), channels))


def _is_cut(opened: Picture) -> bool:
    """Tell whether Pillow keeps the upper 8 bits only of a TIFF."""
    bits = opened.tag_v2.get(258, 8)  # pyright: ignore[reportAttributeAccessIssue]
    deepest = max(bits) if isinstance(bits, tuple) else bits
    return deepest > 8 and not opened.mode.startswith(DEEP)


def _opened(opened: Picture, channels: int | None, ground: str) -> list[Picture]:
    from PIL import Image, ImageOps

    most = Image.MAX_IMAGE_PIXELS or opened.width * opened.height
    if opened.width * opened.height > most:
        raise ValueError(f"{opened.width}x{opened.height} pixels, more than {most} in all")
    if getattr(opened, "format", "") in MOVING and getattr(opened, "is_animated", False):
        raise ValueError("several pictures in one file; save each as a file of its own")
    mode = opened.mode
    upright = ImageOps.exif_transpose(opened)
    if mode.startswith(DEEP):
        values = _scaled(np.asarray(upright), white_is_zero=_white_is_zero(opened))
        return _pictures(_as_asked(values[:, :, None], channels))
    if upright.has_transparency_data:
        seen = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", seen.size, ground), seen)
    grey = _is_grey(opened) if channels is None else channels == 1
    return [upright.convert("L" if grey else "RGB")]


def _is_grey(opened: Picture) -> bool:
    if opened.mode != "P":
        return opened.mode in GREY
    table = np.array(opened.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    return bool((table == table[:, :1]).all())


def _white_is_zero(opened: Picture) -> bool:
    """Tell whether the largest value of a TIFF is black: Pillow turns 8 bits round, and no more."""
    return opened.format == "TIFF" and opened.tag_v2.get(262) == 0  # pyright: ignore[reportAttributeAccessIssue]


def _scaled(values: np.ndarray, *, white_is_zero: bool) -> np.ndarray:
    """Return float32 in which the brightest value of a type of 16 bits is 1."""
    if values.dtype.itemsize == 2 and values.dtype.kind == "u":
        bright = values.astype(np.float32) / 65_535
        return 1 - bright if white_is_zero else bright
    return values.astype(np.float32)


def _as_asked(values: np.ndarray, channels: int | None) -> np.ndarray:
    """Return values (h, w, 1 or 3) with `channels` of them."""
    if channels is None or values.shape[2] == channels:
        return values
    if channels == 3:
        return np.repeat(values, 3, axis=2)
    return values.mean(axis=2, keepdims=True).astype(values.dtype)


def _pictures(values: np.ndarray) -> list[Picture]:
    """Return values (h, w, 1 or 3), uint8 or float32, as Pillow's."""
    from PIL import Image

    if values.dtype == np.uint8:
        return [Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)]
    if not np.isfinite(values).all():
        raise ValueError("values that are not finite")
    return [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(values, 2, 0)]


def _fitted(pictures: list[Picture], size: tuple[int, int], resize: str) -> np.ndarray:
    from PIL import Image, ImageOps

    height, width = size
    method, wanted = Image.Resampling.BILINEAR, (width, height)
    planes = []
    for picture in pictures:
        if resize == "pad":
            black = "black" if picture.mode == "RGB" else 0
            fitted = ImageOps.pad(picture, wanted, method, color=black)
        elif resize == "crop":
            fitted = ImageOps.fit(picture, wanted, method)
        else:
            fitted = picture.resize(wanted, method)
        planes.append(np.asarray(fitted).reshape(height, width, -1))
    return np.concatenate(planes, axis=2)
