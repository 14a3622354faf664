"""Which images a folder holds, each of the class that its own place or its own row says."""

from __future__ import annotations

from pathlib import Path

from fdd_flower.data.alone.table import frame_alone
from fdd_flower.data.base import refuse, shown
from fdd_flower.data.images.files import parted, visible_files, visible_folders
from fdd_flower.data.images.listing import Item, part_of

TABLES = ("labels.csv", "labels.tsv", "labels.parquet")
FILE = "file"  # the column of such a table that names images


def images_alone(root: Path, *, label: str) -> list[Item]:
    """Return the images to train on below `root`, or below `train` where `root` has splits.

    Each folder is a class, unless there is one of `TABLES`: then each of its rows says the class of
    one image, by the columns `file` and `label`, and images that it does not name are left out. A
    row that names no image counts as one that cannot be read.

    Raises
    ------
    DataError
        If folders of classes stand beside the splits, or there are neither folders nor a table.
    """
    home = _to_train_on(root)
    tables = [home / name for name in TABLES if (home / name).is_file()]
    if tables:
        return _of_table(home, tables[0], label)
    folders = visible_folders(home)
    if not folders:
        raise refuse(
            str(home),
            expected=f"a sub-folder of images for each class, or {' or '.join(TABLES)} with the "
            f"columns {FILE} and {label}",
            got="neither",
            remedy="Move the images, or name the table so.",
        )
    return [
        Item(path=path, label=folder.name, part="")
        for folder in folders
        for path in parted(visible_files(folder))[0]
    ]


def _to_train_on(root: Path) -> Path:
    folders = visible_folders(root)
    train = [folder for folder in folders if part_of(folder.name) == "train"]
    if not train:
        return root
    others = [folder.name for folder in folders if part_of(folder.name) is None]
    if len(train) > 1 or others:
        raise refuse(
            str(root),
            expected=f"one folder to train on, and beside {train[0].name} no class",
            got=shown(others or [folder.name for folder in train]),
            remedy="Move the classes into it, or rename it.",
        )
    return train[0]


def _of_table(home: Path, path: Path, label: str) -> list[Item]:
    frame = frame_alone(path, text=label, only=[FILE])
    absent = [name for name in (FILE, label) if name not in frame.columns]
    if absent:
        raise refuse(
            str(path),
            expected=f"the columns {FILE} and {label}",
            got=f"none called {shown(absent)}",
            remedy="Rename them, or set data.label.",
        )
    images = {path.relative_to(home).as_posix(): path for path in parted(visible_files(home))[0]}
    return [
        Item(path=images.get(name, path), label=its if isinstance(its, str) else "", part="")
        for name, its in zip(frame[FILE], frame[label], strict=True)
    ]
