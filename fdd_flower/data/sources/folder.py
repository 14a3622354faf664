"""A folder of images: one sub-folder per class, read by Pillow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.base import SOURCES, Records, Source, refuse
from fdd_flower.data.sources.paths import given_path

# Pillow cuts deeper pixels off at 255 when it converts them.
DEEP_MODES = ("F", "I")


@SOURCES.register("folder")
def folder(cfg: DataConfig) -> Source:
    """Return images resized to a square: uint8 (n, 3, s, s), or (n, 1, s, s) if all are grey.

    Sub-folders `train` and `test`, where both exist, are the splits. Hidden files and
    folders are left out; all other files of a class must be images. A photograph is turned
    upright as its EXIF says.

    Raises
    ------
    DataError
        If there is no sub-folder, a class is empty, or an image cannot be read.
    """
    root = given_path(cfg)
    train_root, test_root = root / "train", root / "test"
    roots = [train_root, test_root] if train_root.is_dir() and test_root.is_dir() else [root]
    found = [_classes(part) for part in roots]
    names = sorted({name for part in found for name in part})
    splits = [_read(part, names, cfg.image_size) for part in found]
    grey = all(image.shape[2] == 1 for images, _ in splits for image in images)
    train, *rest = (_records(images, labels, grey=grey) for images, labels in splits)
    return Source(train=train, test=rest[0] if rest else None, classes=tuple(names))


def _classes(root: Path) -> dict[str, list[Path]]:
    visible = (
        [p for p in root.iterdir() if p.is_dir() and p.name[0] != "."] if root.is_dir() else []
    )
    if not visible:
        raise refuse(
            str(root),
            expected="a folder with a sub-folder for each class",
            got="no sub-folder",
            remedy="Move the images of each class into a folder that has the class's name.",
        )
    found = {part.name: visible_files(part) for part in visible}
    for name, files in found.items():
        if not files:
            raise refuse(
                str(root / name),
                expected="at least one image",
                got="an empty folder",
                remedy="Add images of this class or remove the folder.",
            )
    return found


def visible_files(root: Path) -> list[Path]:
    """Return the files below a folder, except hidden ones, sorted."""
    paths = (path for path in root.rglob("*") if path.is_file())
    # Names in a fixed order, or a record's place would depend on the file system.
    return sorted(p for p in paths if not any(s[0] == "." for s in p.relative_to(root).parts))


def _read(
    found: dict[str, list[Path]], names: list[str], size: int
) -> tuple[list[np.ndarray], list[int]]:
    images, labels = [], []
    for label, name in enumerate(names):
        for path in found.get(name, []):
            images.append(read_image(path, (size, size)))
            labels.append(label)
    return images, labels


def formats() -> list[str]:
    """Return the formats that Pillow decodes by itself: for others it starts a program."""
    from PIL import Image

    Image.init()
    return [kind for kind in Image.OPEN if kind not in ("EPS", "WMF")]


def read_image(path: Path, size: tuple[int, int], *, channels: int | None = None) -> np.ndarray:
    """Return an image as uint8 (height, width, c), upright as its EXIF says.

    Parameters
    ----------
    size
        Height and width that it is resized to.
    channels
        c, 1 or 3; None: 1 for a grey image and 3 for any other.

    Raises
    ------
    DataError
        If Pillow cannot read it to its end, it has more than 8 bits a channel, or so many pixels
        that Pillow takes it for a decompression bomb.
    """
    from PIL import Image, ImageOps

    height, width = size
    try:
        with Image.open(path, formats=formats()) as opened:
            most = Image.MAX_IMAGE_PIXELS or opened.width * opened.height
            if opened.width * opened.height > most:
                raise ValueError(f"{opened.width}x{opened.height} pixels, more than {most} in all")
            mode = opened.mode
            upright = ImageOps.exif_transpose(opened)
            grey = mode in ("1", "L") if channels is None else channels == 1
            flat = upright.convert("L" if grey else "RGB")
            pixels = np.asarray(flat.resize((width, height), Image.Resampling.BILINEAR))
    # Pillow's decoders raise anything from SyntaxError to struct.error on a damaged file.
    except Exception as error:
        raise refuse(
            str(path),
            expected="an image that Pillow can read to its end",
            got=error,
            remedy="Replace or remove the file.",
        ) from error
    if mode.startswith(DEEP_MODES):
        raise refuse(
            str(path),
            expected="an image of 8 bits per channel",
            got=f"Pillow mode {mode}",
            remedy="Scale it to 8 bits, or save the data set as float32 for data.name=npz.",
        )
    return pixels.reshape(height, width, -1)


def _records(images: list[np.ndarray], labels: list[int], *, grey: bool) -> Records:
    channels = 1 if grey else 3
    stacked = [np.broadcast_to(image, (*image.shape[:2], channels)) for image in images]
    return Records(
        inputs=np.ascontiguousarray(np.stack(stacked).transpose(0, 3, 1, 2)),
        labels=np.array(labels, dtype=np.int64),
    )
