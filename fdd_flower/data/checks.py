"""What must hold of any source's records before they are used."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from fdd_flower.data.base import Records, refuse, shown
from fdd_flower.data.large import all_finite

MANY_EMPTY = 100  # classes without a record, more of which are no oversight
MANY_CLASSES = 20  # numbers as labels, more of which may be a quantity
MANY_RECORDS = 100  # of a table, where one of a class is odd
MOST_SAID = 5  # such classes
FEW_RECORDS = 5  # of a class on average, if that is so
# what spellings of one name differ by: sentence marks that stand beside no digit, and blanks
MARKS = re.compile(r"(?<!\d)[.,]|[.,](?!\d)|[\s;:'\"`_]|(?<=\w)-(?=\w)")


def check_records(
    name: str, records: Records, classes: tuple[str, ...], *, in_cells: bool = False
) -> None:
    """Refuse records that no distiller or model could use.

    Raises
    ------
    DataError
        If they are empty, of a wrong type, not finite, labelled outside `classes`, or have a
        subject for some only.
    """
    inputs, labels = records.inputs, records.labels
    remedy = f"Check the data behind data.name={name}."
    if labels.shape != (len(inputs),) or not len(labels):
        raise refuse(
            "data: labels",
            expected=f"one for each of {len(inputs)} records, and at least one",
            got=labels.shape,
            remedy=remedy,
        )
    kinds = (np.float64,) if in_cells else (np.uint8, np.float32)
    if inputs.dtype not in kinds or inputs.ndim < 2:
        raise refuse(
            "data: inputs",
            expected="uint8 or float32 of shape (n, c or d, ...)",
            got=f"{inputs.dtype} {inputs.shape}",
            remedy=remedy,
        )
    if labels.dtype != np.int64 or labels.min() < 0 or labels.max() >= len(classes):
        raise refuse(
            "data: labels",
            expected=f"int64 from 0 to {len(classes) - 1}",
            got=f"{labels.dtype} from {labels.min()} to {labels.max()}",
            remedy=remedy,
        )
    subjects = records.subjects
    if subjects is not None and (subjects.shape, subjects.dtype) != (labels.shape, np.int64):
        raise refuse(
            "data: subjects",
            expected=f"int64 of shape {labels.shape}, one for each record",
            got=f"{subjects.dtype} {subjects.shape}",
            remedy=remedy,
        )
    if inputs.dtype == np.float32 and not all_finite(inputs):
        raise refuse(
            "data: inputs",
            expected="finite numbers",
            got="NaN or infinity",
            remedy=remedy,
        )


def check_classes(
    classes: Sequence[str],
    train: Records,
    test: Records | None,
    *,
    label: str = "",
    read: Sequence[str] = (),
) -> list[str]:
    """Return what a user should know of the classes, a line each.

    Parameters
    ----------
    train
        Empty where a server has no records to train on.
    test
        None: the data has no test split of its own.
    label
        The column of the labels in a table; empty: the records are none.
    read
        What was said of the reading, which may be why a class is absent.

    Raises
    ------
    DataError
        If fewer than 2 classes are held, the labels are no classes, most classes are empty, or the
        splits spell a class in two ways or have none in common.
    """
    trained, tested = (
        np.bincount([] if part is None else part.labels, minlength=len(classes))
        for part in (train, test)
    )
    held = (trained + tested).nonzero()[0].tolist()
    if len(held) < 2:
        raise refuse(
            "data: classes",
            expected="records of at least 2",
            got=f"only {classes[held[0]]!r}" + (f" ({'; '.join(read)})" if read else ""),
            remedy="Add records of another class; a node's own data goes in its data-path.",
        )
    what = f"data.label {label!r}" if label else "data: labels"
    _check_numbers(what, [classes[i] for i in held], (trained + tested)[held])
    empty = [name for name, count in zip(classes, trained + tested, strict=True) if not count]
    if len(empty) > max(MANY_EMPTY, 10 * len(held)):
        raise refuse(
            "data: classes",
            expected="labels numbered without large gaps",
            got=f"{len(empty):,} classes without a record, and {len(held)} with some: "
            + shown([classes[i] for i in held], limit=5),
            remedy="Number the classes from 0, or check that the labels are classes.",
        )
    notes = [f"classes without a record: {shown(empty, limit=5)}"] if empty else []
    notes += _spellings(classes, trained, tested)
    return notes + _single(classes, trained + tested, train, label)


def _single(classes: Sequence[str], counts: np.ndarray, train: Records, label: str) -> list[str]:
    """Return which classes of a table have one record, a line each."""
    if not label or counts.sum() < MANY_RECORDS:
        return []
    last = classes[train.labels[-1]] if len(train) else ""
    return [
        f"class {classes[i]!r} has 1 record: "
        + ("a total at the end of the file?" if classes[i] == last else "a wrong label?")
        for i in np.flatnonzero(counts == 1)[:MOST_SAID]
    ]


def check_splits(classes: Sequence[str], train: Records, test: Records) -> list[str]:
    """Return which classes only one of two splits holds, a line for each split.

    Raises
    ------
    DataError
        If they have none in common.
    """
    if not len(train) or not len(test):
        return []
    ours: set[int] = set(train.labels.tolist())
    theirs: set[int] = set(test.labels.tolist())
    if not ours & theirs:
        raise refuse(
            "data: classes",
            expected="classes that training and test records have in common",
            got=f"{shown([classes[i] for i in sorted(ours)], limit=5)} to train on, and "
            f"{shown([classes[i] for i in sorted(theirs)], limit=5)} to test on",
            remedy="Label both splits alike.",
        )
    only_tested = [classes[i] for i in sorted(theirs - ours)]
    only_trained = [classes[i] for i in sorted(ours - theirs)]
    notes = []
    if only_tested:
        notes.append(f"no training record of {shown(only_tested, limit=5)}: its test records fail")
    if only_trained:
        notes.append(f"no test record of {shown(only_trained, limit=5)}: it is not measured")
    return notes


def _check_numbers(what: str, names: Sequence[str], counts: np.ndarray) -> None:
    """Refuse a quantity that was taken for classes."""
    numbers = sorted(value for name in names if (value := _number(name)) is not None)
    if len(names) <= MANY_CLASSES or len(numbers) < len(names):
        return
    in_a_row = numbers[-1] - numbers[0] < len(names)
    if all(map(float.is_integer, numbers)) and (in_a_row or counts.mean() >= FEW_RECORDS):
        return
    raise refuse(
        what,
        expected="classes",
        got=f"{len(names):,} different numbers in {counts.sum():,} records, from {numbers[0]:g} to "
        f"{numbers[-1]:g}: a quantity",
        remedy="Name another column, or cut the numbers into a few classes first.",
    )


def _spellings(classes: Sequence[str], trained: np.ndarray, tested: np.ndarray) -> list[str]:
    """Return which classes differ by no more than case, blanks or punctuation, a line each."""
    alike: dict[object, list[int]] = {}
    for i in map(int, (trained + tested).nonzero()[0]):
        alike.setdefault(spelling(classes[i]), []).append(i)
    notes = []
    for same in alike.values():
        if len(same) == 1:
            continue
        ours = [repr(classes[i]) for i in same if trained[i]]
        theirs = [repr(classes[i]) for i in same if not trained[i]]
        if ours and theirs:
            raise refuse(
                "data: classes",
                expected="one spelling of a class",
                got=f"{shown(ours)} to train on, and {shown(theirs)} to test on",
                remedy="Write both alike; if they are two classes, name them further apart.",
            )
        listed = shown([f"{classes[i]!r} ({trained[i] + tested[i]:,})" for i in same], limit=5)
        notes.append(f"spelt alike, kept as classes apart: {listed}")
    return notes


def spelling(name: str) -> object:
    """Return what two spellings of one class have in common.

    >>> spelling("<=50K.") == spelling("<=50k"), spelling("1.0") == spelling("1")
    (True, True)
    """
    text = unicodedata.normalize("NFKC", name).casefold()
    number = _number(text)
    return number if number is not None else MARKS.sub("", text) or text


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
