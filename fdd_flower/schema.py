"""The public contract of a record: its columns or shape, its classes, and what scales it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from fdd_flower.errors import DataError

Kind = Literal["image", "series", "vector"]
ColumnKind = Literal["number", "integer", "category", "yes/no", "ordinal", "date", "ignore"]

OTHER, MISSING = "(other)", "(missing)"  # features of a column, beside those of its levels
DATE_PARTS = ("day", "season-sin", "season-cos", "weekday-sin", "weekday-cos")
MOST_DECIMALS = 9
# how many levels a column of a kind has, at least and at most
_LEVELS = {"category": (1, math.inf), "ordinal": (2, math.inf), "yes/no": (2, 2)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """Public constants: (x - mean) / std, a channel (images) or a feature (vectors) each.

    uint8 values are divided by 255 first, so the constants of images are in [0, 1].
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def apply(self, inputs: np.ndarray) -> Tensor:
        """Return float32 model inputs of the same shape (n, c or d, ...).

        float64 is centred before it is rounded: of large numbers float32 would keep too little.
        """
        if inputs.dtype == np.float64:
            found = (inputs - np.array(self.mean)) / np.array(self.std)
            return torch.from_numpy(found.astype(np.float32))
        x = torch.from_numpy(np.array(inputs, dtype=np.float32))
        if inputs.dtype == np.uint8:
            x /= 255
        return (x - self._column(self.mean, x)) / self._column(self.std, x)

    def invert(self, inputs: Tensor) -> Tensor:
        """Return model inputs in the units of the data (images: [0, 1])."""
        return inputs * self._column(self.std, inputs) + self._column(self.mean, inputs)

    @property
    def of_unit_range(self) -> bool:
        """Whether they can be of values in [0, 1], as of images: else the data had other units."""
        # a spread above one half is impossible there; exactly 1 stands for a constant channel
        pairs = zip(self.mean, self.std, strict=True)
        return all(0 <= mean <= 1 and (std <= 0.5 or std == 1) for mean, std in pairs)

    def _column(self, values: tuple[float, ...], x: Tensor) -> Tensor:
        return torch.tensor(values).view(1, -1, *[1] * (x.ndim - 2))


def is_image(feature_shape: tuple[int, ...]) -> bool:
    """Tell whether a feature shape is (channels, height, width)."""
    return len(feature_shape) == 3


def kind_of(feature_shape: tuple[int, ...]) -> Kind:
    """Return what a feature shape is of: (c, h, w) an image, (c, t) a series, all else a vector."""
    if is_image(feature_shape):
        return "image"
    return "series" if len(feature_shape) == 2 else "vector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table: what its cells may be, and the public constants that encode them.

    Attributes
    ----------
    name
        As in the header of the file.
    kind
        `number`; `integer`, whole numbers; `category`, one of `levels` or another; `yes/no`, the
        two `levels` that stand for no and yes; `ordinal`, `levels` from least to most; `date`, in
        days since 1970-01-01; `ignore`, which is not read.
    levels
        Words of a category, yes/no or ordinal column, as in the file.
    low, high
        Public range of a number or date: what lies beyond counts as its end. None: no end.
    gaps
        Whether cells may be missing: a feature then says where.
    missing
        What stands for a missing cell beside an empty one: "?", say, or "-9".
    fill
        Takes the place of a missing number, date (in days) or place in `levels`; None: `centre`,
        and of a yes/no or ordinal column the middle.
    centre, scale
        Of a number, date, yes/no or ordinal column: the model sees (value - centre) / scale.
    unit
        Of a number, for people: "mmHg".
    decimals
        Digits after the point that a synthetic number has, from 0 to 9; None: all that a model can
        tell apart.

    Raises
    ------
    DataError
        If one does not go with another.
    """

    name: str
    kind: ColumnKind = "number"
    levels: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    gaps: bool = False
    missing: tuple[str, ...] = ()
    fill: float | None = None
    centre: float = 0.0
    scale: float = 1.0
    unit: str = ""
    decimals: int | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise self._bad("name", "a name", "none", "Name it as the header of the file does.")
        kinds = get_args(ColumnKind)
        if self.kind not in kinds:
            raise self._bad("kind", f"one of {', '.join(kinds)}", repr(self.kind), "Choose one.")
        least, most = _LEVELS.get(self.kind, (0, 0))
        if not least <= len(self.levels) <= most or len({*self.levels}) < len(self.levels):
            expected = {0: "none", 2: "exactly 2"}.get(int(min(most, 3)), f"{least} or more")
            remedy = "List the words of the column, each once; only those kinds have them."
            got = ", ".join(map(repr, self.levels[:10])) or "none"
            raise self._bad("levels", f"{expected}, for kind {self.kind!r}", got, remedy)
        numbers = (self.low, self.high, self.fill, self.centre, self.scale)
        if not all(math.isfinite(x) for x in numbers if x is not None) or self.scale <= 0:
            raise self._bad(
                "centre, scale, fill, low, high",
                "finite numbers, the scale above 0",
                f"{self.centre:g}, {self.scale:g}, {self.fill}, {self.low}, {self.high}",
                "Correct them.",
            )
        if self.decimals is not None and not 0 <= self.decimals <= MOST_DECIMALS:
            expected = f"from 0 to {MOST_DECIMALS}"
            raise self._bad("decimals", expected, str(self.decimals), "Correct it or leave it out.")
        if self.low is not None and self.high is not None and not self.low < self.high:
            got = f"{self.low:g} and {self.high:g}"
            raise self._bad("low, high", "low below high", got, "Swap or widen them.")

    @property
    def features(self) -> tuple[str, ...]:
        """Names of what a model sees of the column: its own, or it with a level or part."""
        if self.kind == "ignore":
            return ()
        gap = (MISSING,) if self.gaps else ()
        if self.kind == "category":
            parts = (*self.levels, OTHER, *gap)
        elif self.kind == "date":
            parts = (*DATE_PARTS, *gap)
        else:
            return (self.name, *(f"{self.name}={part}" for part in gap))
        return tuple(f"{self.name}={part}" for part in parts)

    @property
    def filled(self) -> float:
        """What stands for a missing number, date or place in `levels`."""
        if self.fill is not None:
            return self.fill
        return (len(self.levels) - 1) / 2 if self.levels else self.centre

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from a column's defaults, as JSON and TOML have it."""
        found: dict[str, Any] = {"name": self.name, "kind": self.kind}
        for item in fields(self)[2:]:
            value = getattr(self, item.name)
            if value != item.default:
                found[item.name] = list(value) if isinstance(value, tuple) else value
        return found

    @classmethod
    def from_dict(cls, found: object) -> Column:
        """Return the column that `to_dict` wrote; of a name alone a number's.

        Raises
        ------
        DataError
            If a key is unknown, or a value of a wrong type or range.
        """
        if isinstance(found, str):
            return cls(name=found)
        named = found.get("name") if isinstance(found, dict) else None
        if not isinstance(found, dict) or not isinstance(named, str):
            raise DataError(
                "schema: columns",
                expected="a name for each",
                got=repr(found)[:80],
                remedy="Write each column with its name and kind.",
            )
        for key, value in found.items():
            kind = _TYPES.get(key)
            if kind is None:
                known, remedy = f"only {', '.join(_TYPES)}", "Rename or remove it."
                raise DataError(
                    f"schema: column {named!r}", expected=known, got=repr(key), remedy=remedy
                )
            texts = kind is tuple and isinstance(value, list | tuple)
            numeric = kind is float and type(value) in (int, float)
            right = texts and all(isinstance(x, str) for x in value)
            if not (right or numeric or (type(value) is kind and kind is not tuple)):
                word = {
                    tuple: "a list of texts",
                    float: "a number",
                    int: "a whole number",
                    bool: "true or false",
                }
                raise DataError(
                    f"schema: column {named!r}: {key}",
                    expected=word.get(kind, "text"),
                    got=repr(value)[:80],
                    remedy="Correct it; text goes in quotes.",
                )
        return cls(**{key: _TYPES[key](value) for key, value in found.items()})

    def scales(self) -> list[tuple[float, float]]:
        """Return centre and scale of each of `features`: those of a 0 or 1 are 0 and 1."""
        own = self.kind not in ("category", "ignore")
        return [
            (self.centre, self.scale) if own and place == 0 else (0.0, 1.0)
            for place in range(len(self.features))
        ]

    def _bad(self, what: str, expected: str, got: str, remedy: str) -> DataError:
        return DataError(
            f"schema: column {self.name!r}: {what}", expected=expected, got=got, remedy=remedy
        )


_TYPES: dict[str, type] = {
    "name": str,
    "kind": str,
    "levels": tuple,
    "low": float,
    "high": float,
    "gaps": bool,
    "missing": tuple,
    "fill": float,
    "centre": float,
    "scale": float,
    "unit": str,
    "decimals": int,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What all parties of a federation agree on about a record; none of it is private.

    Attributes
    ----------
    classes
        Names of the classes, in the order of labels and of target columns.
    feature_shape
        Shape of one input as a model takes it.
    normalisation
        The way between the units of the data and a model's inputs.
    columns
        Of a table, in order; empty where a record is something else, or its columns have no names.
    label
        The column that holds the class; empty: not known.
    prior
        Public shares of the classes, in their order; empty: not known.
    channels
        Of a series, the names of its channels, in order; empty: not known.
    rate
        Of a series, samples a second; 0: not known.
    """

    classes: tuple[str, ...]
    feature_shape: tuple[int, ...]
    normalisation: Normalisation
    columns: tuple[Column, ...] = ()
    label: str = ""
    prior: tuple[float, ...] = ()
    channels: tuple[str, ...] = ()
    rate: float = 0.0

    @classmethod
    def of_table(
        cls,
        columns: Iterable[Column],
        *,
        classes: tuple[str, ...],
        label: str,
        prior: tuple[float, ...] = (),
    ) -> Schema:
        """Return the schema of a table: shape and normalisation follow from the columns.

        Raises
        ------
        DataError
            If no column is left to learn from, names or features repeat, classes are fewer than 2,
            or the prior is not one share a class.
        """
        columns = tuple(columns)
        _check_table(columns, classes, label, prior)
        return cls(
            classes=classes,
            feature_shape=(len(feature_names(columns)),),
            normalisation=normalisation_of(columns),
            columns=columns,
            label=label,
            prior=prior,
        )

    @property
    def kind(self) -> Kind:
        """Whether a record is an image, a series or a vector."""
        return kind_of(self.feature_shape)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of a table's features, one a model input; empty where they have none."""
        return feature_names(self.columns)

    def samples(self) -> list[str]:
        """Return names for the values of a series, flattened: each channel's, and a number."""
        return [f"{name}_{n}" for name in self.channels for n in range(self.feature_shape[-1])]


def feature_names(columns: Iterable[Column]) -> tuple[str, ...]:
    """Return the names of what a model sees of the columns, in order."""
    return tuple(name for column in columns for name in column.features)


def normalisation_of(columns: Iterable[Column]) -> Normalisation:
    """Return centre and scale of what a model sees of the columns, in order."""
    scales = [scale for column in columns for scale in column.scales()]
    return Normalisation(mean=tuple(c for c, _ in scales), std=tuple(s for _, s in scales))


def _check_table(
    columns: tuple[Column, ...], classes: tuple[str, ...], label: str, prior: tuple[float, ...]
) -> None:
    names = [column.name for column in columns]
    for what, found in (("columns", names), ("features", feature_names(columns))):
        twice = [name for name, count in Counter(found).items() if count > 1]
        if twice:
            raise DataError(
                f"schema: {what}",
                expected="each once",
                got=f"{twice[0]!r} twice",
                remedy="Rename or remove one of them.",
            )
    if not feature_names(columns) or label in names:
        raise DataError(
            "schema: columns",
            expected="at least one to learn from, and the label not among them",
            got=", ".join(names[:20]) or "none",
            remedy="List the columns of the table, the label only as `label`.",
        )
    if len(classes) < 2 or len({*classes}) < len(classes):
        raise DataError(
            "schema: classes",
            expected="at least 2 names, each once",
            got=", ".join(classes) or "none",
            remedy="List what the column of labels may hold.",
        )
    whole = not prior or (len(prior) == len(classes) and math.isclose(sum(prior), 1, abs_tol=1e-3))
    if not whole or any(not share > 0 for share in prior):
        raise DataError(
            "schema: prior",
            expected=f"{len(classes)} shares above 0 that sum to 1, in the order of the classes",
            got=list(prior),
            remedy="Correct them, or leave the prior out.",
        )
