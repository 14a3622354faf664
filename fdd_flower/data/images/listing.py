"""Which images there are, of which class, and in which split: by folders, or by a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fdd_flower.data.base import refuse, shown
from fdd_flower.data.images.files import hidden_files, parted, visible_files, visible_folders
from fdd_flower.data.images.labels import labels_of, tables_in
from fdd_flower.wording import many

Part = Literal["train", "val", "test", ""]  # "": there are no splits

WORDS: dict[Part, tuple[str, ...]] = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "tst"),
}
NAMES: dict[str, Part] = {name: part for part, names in WORDS.items() for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An image file, the name of its class, and the split it is in."""

    path: Path
    label: str
    part: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The images of a folder, in a fixed order, and what is to be said about them."""

    items: tuple[Item, ...]
    notes: tuple[str, ...]


def part_of(name: str) -> Part | None:
    """Return the split that a name stands for; None: it is another name.

    >>> [part_of(name) for name in ("Training", "TESTS", "valid", "trains_set", "cat")]
    ['train', 'test', 'val', None, None]
    """
    plain = name.strip().lower()
    return NAMES.get(plain) or NAMES.get(plain.removesuffix("s"))


def listing(root: Path, *, label: str) -> Listing:
    """Return the images below `root`.

    Folders called train, val and test (or Training, Testing, valid, ...) are splits if there is
    one to train on and another. A table in `root` that names the images says their classes;
    otherwise each other folder is a class.

    Parameters
    ----------
    label
        The column of such a table with the class; where there is none of this name, the usual
        ones are looked for.

    Raises
    ------
    DataError
        If no class can be told, a class is empty, or a table names images that are not there.
    """
    notes: list[str] = []
    root = _unwrapped(root, notes)
    parts = _splits(root)
    files = visible_files(root) if root.is_dir() else []
    images, others = parted(files)
    by_table = labels_of(root, images, others, label=label, notes=notes) if images else None
    if by_table is not None:
        items = _labelled(by_table, root, parts)
    elif parts:
        for part, folder in list(parts.items()):
            if part != "train" and not visible_folders(folder):
                notes.append(f"{folder.name} has no folders of classes, and is not used")
                del parts[part]
        items = [
            Item(path=path, label=name, part=part)
            for part, folder in parts.items()
            for name, paths in _classes(folder, notes).items()
            for path in paths
        ]
    else:
        if not visible_folders(root) and (tables := tables_in(others)):
            names = shown(path.relative_to(root).as_posix() for path in tables)
            raise refuse(
                str(root),
                expected="a table with a column that names images here, and one of classes",
                got=f"{names}: no column names an image with a class beside it in at least half of "
                "its rows",
                remedy="Correct the names, or add the images that are missing.",
            )
        items = [
            Item(path=path, label=name, part="")
            for name, paths in _classes(root, notes).items()
            for path in paths
        ]
    filled = {item.part for item in items}
    if said := _said({part: folder for part, folder in parts.items() if part in filled}):
        notes.append(f"splits: {said}")
    used = {item.path for item in items}
    tables = set(tables_in(others)) if by_table is not None else set()
    left = [path for path in files if path not in used and path not in tables]
    if left:
        names = shown((path.relative_to(root).as_posix() for path in left), limit=5)
        notes.append(f"left out {many(len(left), 'file')}: {names}")
    if root.is_dir() and (hidden := hidden_files(root)):
        notes.append(f"left out {hidden:,} hidden or of the system, such as Thumbs.db")
    return Listing(items=tuple(items), notes=tuple(notes))


def _unwrapped(root: Path, notes: list[str]) -> Path:
    """Return the folder that holds the splits, where it is the only thing in `root`."""
    folders = visible_folders(root) if root.is_dir() else []
    if len(folders) != 1:
        return root
    inner = {part_of(folder.name) for folder in visible_folders(folders[0])}
    if "train" in inner and inner & {"val", "test"}:
        notes.append(f"the data is in {folders[0].name}")
        return folders[0]
    return root


def _splits(root: Path) -> dict[Part, Path]:
    found: dict[Part, Path] = {}
    folders = visible_folders(root) if root.is_dir() else []
    named: list[tuple[Part, Path]] = []
    for folder in folders:
        part = part_of(folder.name)
        if part is not None:
            named.append((part, folder))
    present: set[str] = {part for part, _ in named}
    alone = present == {"train"} and len(folders) == 1 and visible_folders(folders[0])
    if "train" not in present or not (present & {"val", "test"} or alone):
        return {}
    for part, folder in named:
        if part in found:
            raise refuse(
                str(root),
                expected="one folder for each split",
                got=f"{found[part].name} and {folder.name}",
                remedy="Join them, or rename one.",
            )
        found[part] = folder
    parts: tuple[Part, ...] = ("train", "val", "test")
    return {part: found[part] for part in parts if part in found}


def _said(parts: dict[Part, Path]) -> str:
    roles: dict[str, str] = {
        "train": "the training split",
        "val": "a training split too" if "test" in parts else "the test split",
        "test": "the test split",
    }
    return ", ".join(f"{folder.name} is {roles[part]}" for part, folder in parts.items())


def _classes(root: Path, notes: list[str]) -> dict[str, list[Path]]:
    folders = visible_folders(root) if root.is_dir() else []
    if not folders:
        raise refuse(
            str(root),
            expected="a folder with a sub-folder for each class, or a table that names the images",
            got="no sub-folder",
            remedy="Move the images of each class into a folder that has the class's name, or add "
            "a CSV with the columns file and label.",
        )
    found: dict[str, list[Path]] = {}
    for folder in folders:
        files = visible_files(folder)
        images, _ = parted(files)
        if not files:
            raise refuse(
                str(folder),
                expected="at least one image",
                got="an empty folder",
                remedy="Add images of this class or remove the folder.",
            )
        if images:
            found[folder.name] = images
        else:
            notes.append(f"{folder.name} holds no image and is not taken for a class")
    if not found:
        raise refuse(
            str(root),
            expected="images in its sub-folders",
            got=shown(folder.name for folder in folders) + ", without any",
            remedy="Check the path.",
        )
    return found


def _labelled(
    labels: dict[Path, tuple[str, str]], root: Path, parts: dict[Part, Path]
) -> list[Item]:
    """Return the items of images with a class and the name of a split, by a table or folder."""
    items = []
    for path, (name, split) in labels.items():
        part = part_of(split) or ""
        for known, folder in parts.items():
            if not part and path.is_relative_to(folder):
                part = known
        items.append(Item(path=path, label=name, part=part))
    return items
