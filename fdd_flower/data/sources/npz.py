"""A NumPy archive: `x` and `y`, and `x_test` and `y_test`; or called as MedMNIST and Keras do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.archives.arrays import Keys, keys_of, read_arrays
from fdd_flower.data.archives.inputs import as_inputs
from fdd_flower.data.archives.labels import label_names, numbered_classes
from fdd_flower.data.base import SOURCES, Agreed, Records, Source, refuse, shown
from fdd_flower.data.groups import array_of_groups, grouped
from fdd_flower.data.sources.paths import given_path
from fdd_flower.data.subjects import (
    names_of_array,
    numbered,
    numbered_subjects,
    tests_only,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The records of a split, the type they were saved in, and the names of their classes."""

    inputs: np.ndarray
    saved: np.dtype
    labels: list[str]


@SOURCES.register("npz")
def npz(cfg: DataConfig, *, agreed: Agreed | None = None) -> Source:
    """Return the archive's records; the classes are those that have any, by number or name.

    See `keys_of` for the names of arrays, `as_inputs` for records and `label_names` for labels. A
    validation split is trained on where there is a test split, and tested on where there is none.
    An array called `cfg.subject`, integers or text (n,), says whose record of `x` each is, and one
    called `cfg.column` which group it is of; `<cfg.column>_test` does for `x_test`.

    Parameters
    ----------
    agreed
        Given, each record of `x` is read alone, and no other split.

    Raises
    ------
    DataError
        If the file is no archive, holds Python objects, lacks records, labels or the subjects, or
        an array has the wrong shape, type or values.
    """
    path = given_path(cfg)
    arrays = read_arrays(path)
    keys, notes = keys_of(path, arrays), list[str]()
    if agreed is not None:
        keys = {"train": keys["train"]}
    # a series has its channels where the archive says, however square it is
    channels = "first" if cfg.name == "series" and cfg.channels == "auto" else cfg.channels
    alone = agreed is not None
    parts = {part: _read(path, arrays, own, channels, alone, notes) for part, own in keys.items()}
    for part, own in keys.items():
        _check_alike(f"{path}: {own.inputs}", parts[part], parts["train"], keys["train"].inputs)
    first = parts["train"]
    if "val" in parts and "test" not in parts:
        parts["test"] = parts.pop("val")
        notes.append(f"{keys['val'].inputs} is the test split")
    elif "val" in parts and not (cfg.subject or cfg.column):
        first = _joined(first, parts["val"])
        notes.append(f"{keys['val'].inputs} is trained on too")
    elif "val" in parts:
        notes.append(f"{keys['val'].inputs} is left out: nothing says whose its records are")
    tested = parts.get("test")
    names = first.labels if tested is None else first.labels + tested.labels
    classes = (
        tuple(sorted({*names}))
        if alone
        else numbered_classes(f"{path}: {keys['train'].labels}", names)
    )
    train = _records(first, classes)
    if cfg.subject and not (tests_only(cfg) and cfg.subject not in arrays):
        names = _subjects(path, arrays, cfg.subject, len(train))
        train = replace(train, subjects=numbered_subjects(names) if alone else numbered(names))
    test = None if tested is None else _records(tested, classes)
    found = Source(train=train, test=test, classes=classes, notes=tuple(notes))
    groups = None if alone else array_of_groups(str(path), arrays, cfg.column, len(train))
    if groups is None:
        return found
    of_test = None
    if test is not None:
        of_test = array_of_groups(str(path), arrays, f"{cfg.column}_test", len(test))
    return grouped(found, groups, of_test)


def _read(
    path: Path,
    arrays: dict[str, np.ndarray],
    keys: Keys,
    channels: str,
    alone: bool,
    notes: list[str],
) -> _Part:
    labels = label_names(f"{path}: {keys.labels}", arrays[keys.labels], alone=alone)
    about: list[str] = []
    inputs = as_inputs(
        f"{path}: {keys.inputs}",
        arrays[keys.inputs],
        len(labels),
        channels=channels,
        alone=alone,
        notes=about,
    )
    notes += [note.replace(f"{path}: ", "") for note in about]
    return _Part(inputs=inputs, saved=arrays[keys.inputs].dtype, labels=labels)


def _check_alike(what: str, part: _Part, train: _Part, key: str) -> None:
    # of integers those up to 255 alone are bytes: another scale than the rest of their type
    scales = part.inputs.dtype != train.inputs.dtype and part.saved == train.saved
    if part.inputs.shape[1:] != train.inputs.shape[1:] or scales:
        raise refuse(
            what,
            expected=f"{train.inputs.dtype} of shape {train.inputs.shape[1:]}, as in {key}",
            got=f"{part.inputs.dtype} {part.inputs.shape[1:]}",
            remedy="Save all splits with the same preprocessing.",
        )


def _joined(one: _Part, other: _Part) -> _Part:
    inputs = np.concatenate([one.inputs, other.inputs])
    return replace(one, inputs=inputs, labels=one.labels + other.labels)


def _records(part: _Part, classes: tuple[str, ...]) -> Records:
    places = {name: i for i, name in enumerate(classes)}
    labels = np.array([places[name] for name in part.labels], dtype=np.int64)
    return Records(inputs=part.inputs, labels=labels)


def _subjects(path: Path, arrays: dict[str, np.ndarray], name: str, count: int) -> list[object]:
    if name in ("x", "y", "x_test", "y_test") or name not in arrays:
        raise refuse(
            f"{path}: data.subject",
            expected="the name of an array that says whose each record is",
            got=f"{name!r}, among {shown(sorted(arrays))}",
            remedy="Write it with numpy.savez(path, x=x, y=y, subject=subject).",
        )
    return names_of_array(f"{path}: {name}", arrays[name], count)
