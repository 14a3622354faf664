"""Many image files at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fdd_flower.data.base import refuse, shown
from fdd_flower.data.images.colour import as_deep, with_channels
from fdd_flower.data.images.depths import Depths
from fdd_flower.data.images.files import name_within
from fdd_flower.data.images.pixels import read_image
from fdd_flower.data.large import room
from fdd_flower.errors import DataError

BITS, OTHER, EITHER = "from black to white", "another", "cannot be told"
MOST_THREADS = 8  # each may hold a large picture while it is made small


def read_images(
    root: Path,
    paths: Sequence[Path],
    size: tuple[int, int],
    *,
    channels: int | None = None,
    deep: bool = False,
    resize: str = "stretch",
    ground: str = "white",
    notes: list[str] | None = None,
) -> np.ndarray:
    """Return images (n, c, height, width), decoded in several threads.

    uint8 if all have 8 bits a channel, otherwise float32 where 255 of 8 bits is 1. c is 1 if all
    are grey, else 3, unless `channels` says. Pixels are kept at `size` only.

    Parameters
    ----------
    root
        What an error calls the images, and where most of them lie.
    deep
        Whether they are float32 in any case. With `channels` an image then follows from its own
        file alone, there may be none, and one that cannot be read is all NaN.
    notes
        Gets what a user should know of files of several depths.

    Raises
    ------
    DataError
        If some cannot be read: all of them are counted, and the first twenty named. Or if some have
        8 bits, and others values of a unit of their own.
    """

    def read(path: Path) -> np.ndarray | DataError:
        try:
            return read_image(path, size, channels=channels, resize=resize, ground=ground)
        except DataError as error:
            return np.full((*size, channels), np.nan, np.float32) if deep and channels else error

    found: np.ndarray | None = None
    if deep and channels not in (1, 3):
        raise refuse(
            str(root),
            expected="grey or coloured images on the server too",
            got=f"records of {channels} channels",
            remedy="Set data.name to what they are.",
        )
    if deep and channels:
        found = room((len(paths), channels, *size), np.dtype(np.float32))
    units: dict[str, Path] = {}  # an image of each
    bad: list[tuple[Path, DataError]] = []
    depths = Depths(root)
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as threads:
        for place, pixels in enumerate(threads.map(read, paths)):
            if isinstance(pixels, DataError):
                bad.append((paths[place], pixels))
            elif not bad:
                units.setdefault(_unit(pixels), paths[place])
                if notes is not None:
                    depths.add(paths[place], pixels)
                pixels = as_deep(pixels) if deep and pixels.dtype == np.uint8 else pixels
                found = _stored(found, pixels.transpose(2, 0, 1), place, len(paths))
    if len(bad) == 1 and bad[0][0].is_relative_to(root):
        raise bad[0][1]
    if bad:
        names = shown(f"{name_within(root, path)} ({error.got})" for path, error in bad)
        raise refuse(
            str(root),
            expected="images that can be read to their end",
            got=f"{len(bad):,} of {len(paths):,} that cannot: {names}",
            remedy="Replace or remove these files.",
        ) from bad[0][1]
    if not deep and {BITS, OTHER} <= units.keys():
        names = [name_within(root, units[unit]) for unit in (BITS, OTHER)]
        raise refuse(
            str(root),
            expected="images of one unit",
            got="{} of 8 bits, and {} with values below 0 or above 1".format(*names),
            remedy="Save all of them as 8 or 16 bits without a sign, or all with those values.",
        )
    if notes is not None:
        notes.extend(depths.notes())
    assert found is not None  # no caller asks for none
    return found


def _unit(pixels: np.ndarray) -> str:
    if pixels.dtype == np.uint8:
        return BITS
    return OTHER if pixels.min() < 0 or pixels.max() > 1 else EITHER


def _stored(found: np.ndarray | None, pixels: np.ndarray, place: int, count: int) -> np.ndarray:
    """Return all images with one more, (c, h, w), at `place`: as deep and coloured as it."""
    if found is None:
        found = room((count, *pixels.shape), pixels.dtype)
    if pixels.shape[0] > found.shape[1]:
        found = with_channels(found, pixels.shape[0])
    if pixels.dtype != found.dtype and found.dtype == np.uint8:
        found = as_deep(found)
    elif pixels.dtype != found.dtype:
        pixels = pixels.astype(np.float32) / 255
    found[place] = pixels  # a grey one fills all channels
    return found
