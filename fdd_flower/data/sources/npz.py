"""A NumPy archive: `x` and `y`, and `x_test` and `y_test` if there is a test split."""

from __future__ import annotations

import os
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.base import SOURCES, Records, Source, refuse, shown
from fdd_flower.data.groups import array_of_groups, grouped
from fdd_flower.data.sources.paths import check_inflated, given_path
from fdd_flower.data.subjects import numbered, tests_only

# A stray identifier in y would otherwise become a list of a billion class names.
MAX_LABEL = 9_999


@SOURCES.register("npz")
def npz(cfg: DataConfig) -> Source:
    """Return the archive's records; the classes are "0" to the largest label.

    `x` is uint8 images (n, c, h, w) or float (n, d) or (n, c, ...); `y` is integers (n,). An array
    called `cfg.subject`, integers or text (n,), says whose record of `x` each is, and one called
    `cfg.column` which group it is of; `<cfg.column>_test` does for `x_test`.

    Raises
    ------
    DataError
        If the file is no archive, holds Python objects, lacks `x`, `y` or the subjects, or an array
        has the wrong shape, type or values.
    """
    path = given_path(cfg)
    arrays = read_arrays(path)
    train = _records(path, arrays, "x", "y")
    if cfg.subject and not (tests_only(cfg) and cfg.subject not in arrays):
        train = replace(train, subjects=_subjects(path, arrays, cfg.subject, len(train)))
    test = None
    if "x_test" in arrays or "y_test" in arrays:
        test = _records(path, arrays, "x_test", "y_test")
        if test.inputs.shape[1:] != train.inputs.shape[1:]:
            raise refuse(
                f"{path}: x_test",
                expected=f"records of shape {train.inputs.shape[1:]}, as in x",
                got=test.inputs.shape[1:],
                remedy="Save both splits with the same preprocessing.",
            )
    top = max(int(part.labels.max()) for part in (train, test) if part is not None)
    found = Source(train=train, test=test, classes=tuple(str(i) for i in range(top + 1)))
    groups = array_of_groups(str(path), arrays, cfg.column, len(train))
    if groups is None:
        return found
    of_test = None
    if test is not None:
        of_test = array_of_groups(str(path), arrays, f"{cfg.column}_test", len(test))
    return grouped(found, groups, of_test)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an archive, by name.

    Raises
    ------
    DataError
        If the file is no archive, is damaged, or holds Python objects.
    """
    try:
        archive = np.load(os.fspath(path), allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ValueError("a single array")
        with archive:
            check_inflated(path, sum(member.file_size for member in archive.zip.infolist()))
            arrays = {key: archive[key] for key in archive.files}
            for key, array in arrays.items():
                # a member that is no NPY file comes as its bytes
                if not isinstance(array, np.ndarray):
                    raise ValueError(f"{key} is not an array")
            return arrays
    # RuntimeError is zipfile's for a password or an unknown compression.
    # MemoryError: a header that promises more than there is.
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise refuse(
            str(path),
            expected="a NumPy .npz archive of plain arrays",
            got=error,
            remedy="Write it with numpy.savez(path, x=x, y=y).",
        ) from error


def _records(path: Path, arrays: dict[str, np.ndarray], x_key: str, y_key: str) -> Records:
    for key in (x_key, y_key):
        if key not in arrays:
            raise refuse(
                str(path),
                expected=f"keys {x_key} and {y_key}",
                got=", ".join(sorted(arrays)) or "none",
                remedy=f"Write it with numpy.savez(path, {x_key}={x_key}, {y_key}={y_key}).",
            )
    labels = _labels(f"{path}: {y_key}", arrays[y_key])
    return Records(
        inputs=check_inputs(f"{path}: {x_key}", arrays[x_key], len(labels)), labels=labels
    )


def _subjects(path: Path, arrays: dict[str, np.ndarray], name: str, count: int) -> np.ndarray:
    if name in ("x", "y", "x_test", "y_test") or name not in arrays:
        raise refuse(
            f"{path}: data.subject",
            expected="the name of an array that says whose each record is",
            got=f"{name!r}, among {shown(sorted(arrays))}",
            remedy="Write it with numpy.savez(path, x=x, y=y, subject=subject).",
        )
    found = arrays[name]
    if found.shape != (count,) or found.dtype.kind not in "iuU":
        raise refuse(
            f"{path}: {name}",
            expected=f"integers or text of shape ({count},), one for each record of x",
            got=f"{found.dtype} {found.shape}",
            remedy="Save a number or a name of a subject for each record.",
        )
    return numbered(found.tolist())


def _labels(what: str, y: np.ndarray) -> np.ndarray:
    if y.ndim != 1 or len(y) == 0 or y.dtype.kind not in "iu":
        raise refuse(
            what,
            expected="integers of shape (n,), n at least 1",
            got=f"{y.dtype} {y.shape}",
            remedy="Save class numbers, not one-hot rows or names.",
        )
    low, high = int(y.min()), int(y.max())
    if low < 0 or high > MAX_LABEL:
        raise refuse(
            what,
            expected=f"labels from 0 to {MAX_LABEL}",
            got=f"{low} to {high}",
            remedy="Number the classes from 0.",
        )
    return y.astype(np.int64)


def check_inputs(what: str, x: np.ndarray, count: int) -> np.ndarray:
    """Return `count` records as uint8 or float32; `what` names them in an error.

    Raises
    ------
    DataError
        If their type, number or shape is wrong, or a value is not finite.
    """
    if x.dtype != np.uint8 and x.dtype.kind != "f":
        raise refuse(
            what,
            expected="uint8 images or floats",
            got=x.dtype,
            remedy="Save x.astype(numpy.float32), or uint8 where the values are 0 to 255.",
        )
    fits = x.ndim == 4 if x.dtype == np.uint8 else x.ndim >= 2
    if not fits or len(x) != count or 0 in x.shape:
        shape = "(n, c, h, w)" if x.dtype == np.uint8 else "(n, d) or (n, c, ...)"
        raise refuse(
            what,
            expected=f"{shape} with n = {count}, the number of labels",
            got=x.shape,
            remedy="Give one record for each label; grey images have c = 1.",
        )
    if x.ndim == 4 and x.shape[3] in (1, 3) and x.shape[1] > 4:
        raise refuse(
            what,
            expected="channels first, (n, c, h, w)",
            got=x.shape,
            remedy="Save x.transpose(0, 3, 1, 2).",
        )
    if x.dtype == np.uint8:
        return x
    with np.errstate(over="ignore"):
        values = x.astype(np.float32)
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise refuse(
            what,
            expected="finite numbers in float32's range",
            got=f"another value in record {row}, counted from 0",
            remedy="Fill in or drop such records.",
        )
    return values
