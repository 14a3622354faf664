"""Which files of a folder are images, and what is only litter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from fdd_flower.data.base import refuse

DICOM = (".dcm", ".dicom", ".ima")
# what systems leave in a folder without being asked
LITTER = {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "lost+found"}


def is_litter(name: str) -> bool:
    """Tell whether a file or folder of this name is hidden, or left by an operating system."""
    return name.startswith(".") or name.lower() in LITTER


def name_within(root: Path, path: Path) -> str:
    """Return what to call a file: its path within a folder, or its name if it lies elsewhere.

    >>> name_within(Path("scans"), Path("scans/a/1.png")), name_within(Path("x"), Path("a/1.png"))
    ('a/1.png', '1.png')
    """
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def visible_files(root: Path) -> list[Path]:
    """Return the files below a folder, except hidden ones and litter, sorted.

    Links are followed, except to above where they are. One that leads nowhere counts as a file: its
    record is not to be missing without a word.
    """
    # Names in a fixed order, or a record's place would depend on the file system.
    return sorted(path for path, hidden in _walk(root, _and_above(root)) if not hidden)


def hidden_files(root: Path) -> int:
    """Return how many hidden files and litter are below a folder."""
    return sum(hidden for _, hidden in _walk(root, _and_above(root)))


def _walk(root: Path, above: frozenset[Path], hidden: bool = False) -> Iterator[tuple[Path, bool]]:
    """Yield each file below `root`, and whether it is hidden or litter."""
    try:
        inside = list(root.iterdir())
    except OSError as error:
        if hidden:
            return
        raise refuse(
            str(root),
            expected="a folder that may be read",
            got=error.strerror,
            remedy="Allow it, or move the folder away.",
        ) from error
    for path in inside:
        unseen = hidden or is_litter(path.name)
        if not path.is_dir():
            yield path, unseen
        elif (real := path.resolve()) not in above:
            yield from _walk(path, above | {real}, unseen)


def _and_above(folder: Path) -> frozenset[Path]:
    return frozenset({folder.resolve(), *folder.resolve().parents})


def visible_folders(root: Path) -> list[Path]:
    """Return the folders in a folder, sorted, except hidden ones, litter and links to above it."""
    above = _and_above(root)
    return sorted(
        path
        for path in root.iterdir()
        if path.is_dir() and not is_litter(path.name) and path.resolve() not in above
    )


def parted(files: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files that are meant to be images, by their names, and the others.

    A file without an ending counts as one if it begins as an image or as DICOM does. Digits after a
    dot are no ending: scanners name files by numbers such as 1.2.840.10008.
    """
    images: list[Path] = []
    others: list[Path] = []
    for path in files:
        suffix = _ending(path)
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
    ending = _ending(path)
    return ending in DICOM or (not ending and _head(path)[128:132] == b"DICM")


def _ending(path: Path) -> str:
    ending = path.suffix.lower()
    return "" if ending[1:].isdigit() else ending


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
