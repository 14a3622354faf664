"""A table beside images that says which class each one is of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.data.base import refuse, shown

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".tsv")
LARGEST = 2**28  # bytes of a table of labels that are read
LABEL = re.compile(r"(class|label|category|target|diagnosis|dx|finding|species|y)(_?names?|s|es)?")
SPLIT = re.compile(r"split|subset|set|partition|fold")
SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}
SAME = 0.5  # least share of a column's values that must name an image


def tables_in(files: Iterable[Path]) -> list[Path]:
    """Return the files that may be tables of labels."""
    tables = (path for path in files if path.suffix.lower() in ENDINGS)
    # a form to hand in has a guess for each image, not its class
    return [path for path in tables if "submission" not in path.stem.lower()]


def labels_of(
    root: Path, images: Sequence[Path], others: Sequence[Path], *, label: str, notes: list[str]
) -> dict[Path, tuple[str, str]] | None:
    """Return the class and the split ("": not said) of each image that a table names.

    None, where no table among `others` names both images and classes; what was found is added to
    `notes`.

    Raises
    ------
    DataError
        If a table names images that are not there, or its classes cannot be told.
    """
    found: dict[Path, tuple[str, str]] = {}
    folders = len({path.parent for path in images})
    for path in tables_in(others):
        frame = _read(path)
        column, places = _file_column(frame, images, root)
        if column is None:
            continue
        labels = _labels(path, frame, column, label, strict=folders == 1)
        if labels is None:
            continue
        missing = [str(frame[column].iloc[i]) for i, place in enumerate(places) if place is None]
        if missing:
            raise refuse(
                f"{path}: column {column!r}",
                expected=f"files below {root}",
                got=f"{len(missing)} of {len(frame)} that are not there: {shown(missing)}",
                remedy="Add the images, or remove these rows.",
            )
        splits = _splits(path, frame)
        rows = [
            (place, name, split)
            for place, name, split in zip(places, labels, splits, strict=True)
            if place is not None and name
        ]
        found |= {place: (name, split) for place, name, split in rows}
        without = "" if len(rows) == len(frame) else f", {len(frame) - len(rows):,} without a class"
        notes.append(f"classes from {path.relative_to(root).as_posix()}{without}")
    return found or None


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path.stat().st_size} bytes")
        # text as it is written: 007 is the name of a file
        frame = pd.read_csv(
            path,
            dtype=str,
            sep="\t" if path.suffix.lower() == ".tsv" else None,
            engine="python",
            keep_default_na=False,
            encoding="utf-8-sig",
        )
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise refuse(
            str(path),
            expected="a table of labels that pandas can read",
            got=error,
            remedy="Save it as UTF-8 CSV with the columns file and label, or move it away.",
        ) from error
    frame.columns = [str(name).strip() for name in frame.columns]
    return pd.DataFrame({name: frame[name].fillna("").str.strip() for name in frame.columns})


def _file_column(
    frame: pd.DataFrame, images: Sequence[Path], root: Path
) -> tuple[str | None, list[Path | None]]:
    """Return the column that names images, and the image that each of its rows names."""
    known: dict[str, Path | None] = {}
    for path in images:
        inside = path.relative_to(root)
        for name in {inside.as_posix(), path.name, path.stem, inside.with_suffix("").as_posix()}:
            # a name that two images share is none
            known[name.lower()] = path if name.lower() not in known else None
    for path in images:
        known[path.relative_to(root).as_posix().lower()] = path
    best: tuple[str | None, list[Path | None]] = (None, [])
    most = SAME * len(frame)
    for column in frame.columns:
        places = [known.get(_plain(value)) for value in frame[column]]
        count = sum(place is not None for place in places)
        if count and count >= most:
            best, most = (column, places), count + 1
    return best


def _plain(value: str) -> str:
    path = value.replace("\\", "/").lower()
    return PurePosixPath(path).as_posix().removeprefix("/")


def _labels(
    path: Path, frame: pd.DataFrame, column: str, label: str, *, strict: bool
) -> list[str] | None:
    """Return the class of each row, "" where none is said; None: the table names no classes."""
    others = [name for name in frame.columns if name not in (column, _split_column(frame))]
    named = [name for name in others if name.lower() == label.lower()]
    named += [name for name in others if LABEL.fullmatch(name.lower())]
    if not named and len(others) == 1:
        named = others
    if named:
        return frame[named[0]].tolist()
    shares = _one_hot(frame, others)
    if shares is not None:
        return shares
    if strict and others:
        raise refuse(
            f"{path}: data.label",
            expected="the name of the column with the class",
            got=f"{label!r}, among {shown(others)}",
            remedy="Set data.label to one of these.",
        )
    return None


def _one_hot(frame: pd.DataFrame, columns: Sequence[str]) -> list[str] | None:
    """Return the column that holds the only 1 of each row, where all others hold 0."""
    import pandas as pd

    if len(columns) < 2:
        return None
    numbers = [np.asarray(pd.to_numeric(frame[name], errors="coerce")) for name in columns]
    values = np.stack(numbers, axis=1)
    if not (np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all()):
        return None
    return [columns[int(place)] for place in values.argmax(axis=1)]


def _split_column(frame: pd.DataFrame) -> str | None:
    for name in frame.columns:
        if SPLIT.fullmatch(name.lower()) and set(frame[name].str.lower()) <= SPLITS:
            return name
    return None


def _splits(path: Path, frame: pd.DataFrame) -> list[str]:
    """Return the split of each row: by a column, or by the name of the table."""
    column = _split_column(frame)
    if column is not None:
        return frame[column].tolist()
    words = re.split(r"[^a-z]+", path.stem.lower())
    named = next((word for word in words if word in SPLITS), "")
    return [named] * len(frame)
