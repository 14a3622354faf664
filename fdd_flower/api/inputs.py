"""Records from NumPy, torch or pandas as arrays, and as inputs of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeGuard

import numpy as np
from torch import Tensor

from fdd_flower.data.base import refuse
from fdd_flower.data.tables.encode import table_inputs
from fdd_flower.device import on_host
from fdd_flower.schema import Schema, is_image
from fdd_flower.wording import many

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["auto", "image", "series", "vector"]

KINDS = ("auto", "image", "series", "vector")
MOST_CHANNELS_LAST = 4  # RGB with transparency; more in the last place is a width
UNIT_RANGE_ENDS = 2.0  # a float above it is no brightness from 0 to 1


def records_of(x: object, *, kind: Kind = "auto") -> tuple[np.ndarray, tuple[str, ...]]:
    """Return records as (n, *feature_shape), and the names of the columns of a table.

    Parameters
    ----------
    x
        A NumPy array, a tensor, a list of numbers, or a pandas DataFrame of numeric columns.
    kind
        What a record is; `auto` goes by the shape. (n, d) are vectors. (n, a, b) are grey images
        if they are uint8 or square, else series of `a` channels. (n, a, b, c) are images, with
        the channels last if there are at most 4 of them and more rows and columns than that.

    Returns
    -------
    uint8 of images that came as uint8, else float32.

    Raises
    ------
    DataError
        If these are no numbers, a number is not finite, or the shape is of no such records.
    """
    if kind not in KINDS:
        raise refuse(
            "kind", expected=f"one of {', '.join(KINDS)}", got=repr(kind), remedy="Name one."
        )
    if _is_frame(x):
        if kind not in ("auto", "vector"):
            raise refuse(
                "kind",
                expected="vector for a DataFrame",
                got=kind,
                remedy="Pass images and series as an array.",
            )
        return _frame_values(x), tuple(str(name) for name in x.columns)
    found = _array(x)
    if found.ndim < 2 or 0 in found.shape:
        raise refuse(
            "x",
            expected="records (n, ...) of at least one number each",
            got=f"shape {found.shape}",
            remedy="Give vectors as (n, d); a single column is x.reshape(-1, 1).",
        )
    return _numbers(_shaped(found, kind)), ()


def model_inputs(x: object, schema: Schema) -> Tensor:
    """Return records in the units of the data as inputs of a model of `schema`.

    Parameters
    ----------
    x
        As for `records_of`. Of a DataFrame the columns that the schema names are taken, in its
        order; grey images may lack the axis of channels, and channels may come last.

    Returns
    -------
    float32, (n, *schema.feature_shape).

    Raises
    ------
    DataError
        If these are no such records.
    """
    if _is_frame(x):
        if schema.columns:
            return _table_inputs(x, schema)
        values = _frame_values(x)
    else:
        values = _array(x)
    shape, want = values.shape[1:], schema.feature_shape
    if shape != want and is_image(want):
        if shape == want[1:] and want[0] == 1:
            values = values[:, None]
        elif shape == (*want[1:], want[0]):
            values = np.moveaxis(values, -1, 1)
    if values.shape[1:] != want or not len(values):
        raise refuse(
            "x",
            expected=f"records of shape {want}, at least one",
            got=f"an array of shape {values.shape}",
            remedy="Bring them into the form of the data that the synthetic set was made of.",
        )
    return schema.normalisation.apply(_in_units_of(schema, _numbers(values)))


def _in_units_of(schema: Schema, values: np.ndarray) -> np.ndarray:
    """Return uint8 as float32 where the schema's data were not bytes, and refuse the reverse."""
    if not schema.normalisation.of_unit_range:
        return values.astype(np.float32)
    if is_image(schema.feature_shape) and values.dtype != np.uint8:
        highest = float(values.max())
        if highest > UNIT_RANGE_ENDS:
            raise refuse(
                "x",
                expected="brightness from 0 to 1, or uint8, as the synthetic set was made of",
                got=f"values up to {highest:g}",
                remedy="Pass x.astype('uint8') if they are from 0 to 255.",
            )
    return values


def _is_frame(x: Any) -> TypeGuard[pd.DataFrame]:
    return hasattr(x, "columns") and hasattr(x, "iloc")


def _array(x: Any) -> np.ndarray:
    if isinstance(x, Tensor):
        x = on_host(x.detach()).numpy()
    try:
        found = np.asarray(x)
    except ValueError:  # records of different lengths
        found = np.empty(0, dtype=object)
    if found.dtype.kind not in "fiub":
        raise refuse(
            "x",
            expected="numbers: a NumPy array, a tensor, or a DataFrame",
            got=type(x).__name__ if found.dtype == object else found.dtype,
            remedy="Encode text as numbers; bring records to one shape.",
        )
    return found


def _shaped(found: np.ndarray, kind: Kind) -> np.ndarray:
    """Return (n, d), (n, c, t) or (n, c, h, w)."""
    dims = found.ndim - 1
    if kind == "auto":
        square = dims == 2 and found.shape[1] == found.shape[2] > 1
        image = dims == 3 or (dims == 2 and (square or found.dtype == np.uint8))
        kind = "image" if image else "series" if dims == 2 else "vector"
    allowed = {"image": (2, 3), "series": (2,), "vector": (1,)}[kind]
    if dims not in allowed:
        raise refuse(
            "x",
            expected={
                "image": "images (n, h, w), (n, c, h, w) or (n, h, w, c)",
                "series": "series (n, channels, steps)",
                "vector": "vectors (n, d)",
            }[kind],
            got=f"shape {found.shape}",
            remedy="Reshape them, or say what a record is with kind=.",
        )
    if kind == "image" and dims == 2:
        return found[:, None]
    if kind == "image" and found.shape[3] <= MOST_CHANNELS_LAST < min(found.shape[1:3]):
        return np.moveaxis(found, -1, 1)
    return found


def _numbers(values: np.ndarray) -> np.ndarray:
    """Return uint8 images as they are, and all else as finite float32."""
    if values.dtype == np.uint8 and values.ndim == 4:
        return np.ascontiguousarray(values)
    with np.errstate(over="ignore"):
        numbers = np.ascontiguousarray(values, dtype=np.float32)
    finite = np.isfinite(numbers).reshape(len(numbers), -1).all(axis=1)
    if not finite.all():
        raise refuse(
            "x",
            expected="finite numbers in float32's range",
            got=f"another value in record {int(np.flatnonzero(~finite)[0])}, counted from 0",
            remedy="Fill in or drop such records.",
        )
    return numbers


def _table_inputs(frame: pd.DataFrame, schema: Schema) -> Tensor:
    """Return a table as inputs of a model of `schema`."""
    if not len(frame):
        raise refuse("x", expected="at least one row", got="none", remedy="Check how it was made.")
    return table_inputs("x", frame.rename(columns=str), schema)


def is_mixed(x: object) -> TypeGuard[pd.DataFrame]:
    """Tell whether records are a table of more than numbers: of words, dates or gaps."""
    import pandas as pd

    return (
        _is_frame(x)
        and len(x) > 0
        and any(
            not pd.api.types.is_numeric_dtype(values) or values.isna().any()
            for _, values in x.items()
        )
    )


def _frame_values(frame: Any) -> np.ndarray:
    """Return a table as float64 (n, d)."""
    import pandas as pd

    if not len(frame) or not len(frame.columns):
        raise refuse(
            "x",
            expected="at least one row and one column",
            got=f"a table of {many(len(frame), 'row')} and {many(len(frame.columns), 'column')}",
            remedy="Check how it was made.",
        )
    columns = []
    for name, values in frame.items():
        if not pd.api.types.is_numeric_dtype(values):
            raise refuse(
                f"x: column {str(name)!r}",
                expected="numbers",
                got=f"{values.dtype}, {str(values.iloc[0])!r} in the first row",
                remedy="Encode it as numbers (pandas.get_dummies), or drop it; the labels are y.",
            )
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        bad = np.flatnonzero(~np.isfinite(numbers) | (np.abs(numbers) > np.finfo(np.float32).max))
        if len(bad):
            raise refuse(
                f"x: column {str(name)!r}",
                expected="finite numbers in float32's range",
                got=f"{values.iloc[bad[0]]} in row {frame.index[bad[0]]!r}",
                remedy="Fill in or drop such rows.",
            )
        columns.append(numbers)
    return np.stack(columns, axis=1)
