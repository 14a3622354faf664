"""Which files of a folder are images, and what is only litter."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

DICOM = (".dcm", ".dicom", ".ima")
# what systems leave in a folder without being asked
LITTER = {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "lost+found"}


def is_litter(name: str) -> bool:
    """Tell whether a file or folder of this name is hidden, or left by an operating system."""
    return name.startswith(".") or name.lower() in LITTER


def visible_files(root: Path) -> list[Path]:
    """Return the files below a folder, except hidden ones and litter, sorted."""
    paths = (path for path in root.rglob("*") if path.is_file())
    # Names in a fixed order, or a record's place would depend on the file system.
    return sorted(p for p in paths if not any(map(is_litter, p.relative_to(root).parts)))


def visible_folders(root: Path) -> list[Path]:
    """Return the folders in a folder, sorted, except hidden ones, litter and links to above it."""
    above = {root.resolve(), *root.resolve().parents}
    return sorted(
        path
        for path in root.iterdir()
        if path.is_dir() and not is_litter(path.name) and path.resolve() not in above
    )


def parted(files: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files that are meant to be images, by their names, and the others.

    A file without an ending counts as one if it begins as an image or as DICOM does.
    """
    images: list[Path] = []
    others: list[Path] = []
    for path in files:
        suffix = path.suffix.lower()
        wanted = suffix in image_suffixes() if suffix else _begins_as_one(path)
        (images if wanted else others).append(path)
    return images, others


@cache
def formats() -> tuple[str, ...]:
    """Return the formats that Pillow decodes by itself: for others it starts a program."""
    from PIL import Image

    Image.init()
    return tuple(kind for kind in Image.OPEN if kind not in ("EPS", "WMF"))


@cache
def image_suffixes() -> frozenset[str]:
    """Return the endings of files that can be read as images, in small letters."""
    from PIL import Image

    known = formats()
    found = {suffix for suffix, kind in Image.registered_extensions().items() if kind in known}
    return frozenset(found | set(DICOM))


def is_dicom(path: Path) -> bool:
    """Tell whether a file is DICOM: by its ending, or by its mark after 128 bytes."""
    if path.suffix.lower() in DICOM:
        return True
    if path.suffix:
        return False
    return _head(path)[128:132] == b"DICM"


def _begins_as_one(path: Path) -> bool:
    from PIL import Image

    head = _head(path)
    if head[128:132] == b"DICM":
        return True
    checks = (Image.OPEN[kind][1] for kind in formats())
    return any(check is not None and check(head[:16].ljust(16, b"\0")) is True for check in checks)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(132)
    except OSError:
        return b""
