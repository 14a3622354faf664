"""Which columns of a data set are the image, the channels of a series, or a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fdd_flower.config import DataConfig
from fdd_flower.data.base import refuse, shown
from fdd_flower.data.columns import chosen_columns

IMAGE, SERIES, TABLE = "image", "series", "table"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The columns that a record is made of.

    Attributes
    ----------
    kind
        `IMAGE`, one column of pictures; `SERIES`, columns of as many numbers in each row;
        or `TABLE`, columns of one value.
    ignored
        Columns that are left out because of others.
    """

    kind: str
    columns: tuple[str, ...]
    ignored: tuple[str, ...] = ()


def choose(what: str, features: dict[str, Any], cfg: DataConfig) -> Chosen:
    """Return the columns that make up a record: those `cfg` names, or all that fit together.

    A picture leaves other columns out; sequences beside single values do not fit together.

    Parameters
    ----------
    what
        The data set, for an error.
    features
        Of `datasets`, by column.

    Raises
    ------
    DataError
        If a column that `cfg` names does not exist or is of another kind, or none is left.
    """
    _check_there(what, "data.label", [cfg.label], features)
    used = chosen_columns(what, cfg.columns, features, {cfg.label, cfg.subject, cfg.column})
    named = bool(cfg.columns.strip(" ,-")) and not cfg.columns.lstrip().startswith("-")
    if cfg.image:
        _check_there(what, "data.image", [cfg.image], features)
        used, named = [cfg.image], True
    kinds = {name: kind_of(features[name]) for name in used}
    if cfg.image and kinds[cfg.image] != IMAGE:
        raise _wrong(what, "data.image", "a column of images", f"{cfg.image} of another kind")
    for kind in (IMAGE, SERIES, TABLE):
        columns = [name for name in kinds if kinds[name] == kind]
        if not columns:
            continue
        if kind == IMAGE and len(columns) > 1:
            raise _wrong(what, "data.image", f"one of {shown(columns)}", "several columns")
        left = tuple(name for name in kinds if name not in columns)
        # what stands beside a picture is about it; beside a series it may be the record
        if left and (named or kind == SERIES):
            raise _wrong(
                what, "data.columns", f"columns of one kind, as {columns[0]} is", shown(left)
            )
        return Chosen(kind, tuple(columns), left)
    raise _wrong(
        what,
        "data.columns",
        "an image, sequences of numbers or single values",
        shown(f"{name}: {features[name]}" for name in kinds) or "no column beside the label",
    )


def kind_of(feature: Any) -> str:
    """Return what a column is good for; empty: nothing that is known."""
    import datasets

    if isinstance(feature, datasets.Image):
        return IMAGE
    if isinstance(feature, datasets.Array2D):
        return SERIES
    if isinstance(feature, datasets.List | datasets.LargeList):
        return SERIES if _is_number(feature.feature) else ""
    return TABLE if isinstance(feature, datasets.Value | datasets.ClassLabel) else ""


def _is_number(feature: Any) -> bool:
    import datasets

    return isinstance(feature, datasets.Value) and feature.dtype.startswith(
        ("int", "uint", "float")
    )


def _check_there(what: str, option: str, names: list[str], features: dict[str, Any]) -> None:
    absent = [name for name in names if name not in features]
    if absent:
        raise _wrong(what, option, f"one of the columns {shown(features)}", shown(absent))


def _wrong(what: str, option: str, expected: str, got: str) -> Exception:
    levels = " A folder of images with files at several levels is read by data.name=folder."
    return refuse(
        f"{what}: {option}",
        expected=expected,
        got=got,
        # `datasets` gives no classes then
        remedy=f"Set {option} to what is there." + (levels if option == "data.label" else ""),
    )
