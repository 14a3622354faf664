"""Records as arrays hold them, brought into the layout and type that models take."""

from __future__ import annotations

import numpy as np

from fdd_flower.data.base import refuse

MOST_CHANNELS = 4  # of what is taken for an image
LEAST_SIDE = 8  # of floats (n, h, w) that are taken for grey images and not for series
MOST_LENGTHWISE = 2  # the longer side of such an image, relative to the shorter one


def as_inputs(
    what: str,
    x: np.ndarray,
    count: int,
    *,
    channels: str = "auto",
    alone: bool = False,
    notes: list[str] | None = None,
) -> np.ndarray:
    """Return `count` records as uint8 images (n, c, h, w), or float32 (n, d) or (n, c, ...).

    Integers from 0 to 255 are bytes of an image, unsigned ones of 16 bits are floats where 1 is
    the largest, others are taken by their values.

    Parameters
    ----------
    what
        Names the records in an error.
    channels
        The axis of the channels, `first` or `last`; `none`: (n, h, w) are grey images; `auto`:
        as the shape suggests.
    alone
        Whether each record is read alone: whether all integers of images are bytes is not looked
        for, and those of other types than uint8 are refused. There may be none, and values that are
        not finite stay.
    notes
        What was taken for what is added to it.

    Raises
    ------
    DataError
        If their type, number or shape is wrong, or a value is not finite.
    """
    if x.dtype.kind not in "biuf":
        raise refuse(
            what,
            expected="numbers",
            got=x.dtype,
            remedy="Save x.astype(numpy.float32), or uint8 where the values are 0 to 255.",
        )
    if x.ndim < 2 or x.ndim > 4 or len(x) != count or 0 in x.shape[alone:]:
        raise refuse(
            what,
            expected=f"(n, d), (n, h, w) or (n, c, h, w) with n = {count}, the number of labels",
            got=x.shape,
            remedy="Give one record for each label.",
        )
    said = [] if notes is None else notes
    laid_out = _laid_out(what, x, channels, said)
    if alone and laid_out.ndim == 4 and x.dtype.kind in "iu" and x.dtype != np.uint8:
        raise refuse(
            what,
            expected="images as uint8 or floats, with privacy.mode",
            got=x.dtype,
            remedy="Save x.astype(numpy.uint8) where values are 0 to 255; of 16 bits, "
            "(x / 65535).astype(numpy.float32).",
        )
    return _typed(what, laid_out, alone)


def _laid_out(what: str, x: np.ndarray, channels: str, notes: list[str]) -> np.ndarray:
    """Return `x` with its channels first."""
    if x.ndim == 2:
        return x
    if channels == "none":
        if x.ndim == 4:
            raise refuse(
                what,
                expected="(n, h, w) with data.channels=none",
                got=x.shape,
                remedy="Set data.channels to first or last.",
            )
        return x[:, None]
    if channels == "auto":
        if x.ndim == 3 and (x.dtype.kind != "f" or _is_picture(*x.shape[1:])):
            notes.append(f"{what} {x.shape} is taken for grey images")
            return x[:, None]
        few = [1 <= side <= MOST_CHANNELS for side in x.shape]
        if x.ndim == 3 or few[1] or not few[3]:
            return x
        notes.append(f"{what} {x.shape} is taken for images with their channels last")
    elif channels == "first":
        return x
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def _is_picture(height: int, width: int) -> bool:
    short, long = sorted((height, width))
    return short >= LEAST_SIDE and long <= MOST_LENGTHWISE * short


def _typed(what: str, x: np.ndarray, alone: bool) -> np.ndarray:
    if x.ndim == 4 and x.dtype == np.uint8:
        return x
    if x.ndim == 4 and x.dtype.kind in "iu" and x.min() >= 0 and x.max() <= 255:
        return x.astype(np.uint8)
    with np.errstate(over="ignore"):
        values = x.astype(np.float32)
    if x.ndim == 4 and x.dtype == np.uint16:
        values /= 65_535
    if not alone and not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise refuse(
            what,
            expected="finite numbers in float32's range",
            got=f"another value in record {row}, counted from 0",
            remedy="Fill in or drop such records.",
        )
    return values
