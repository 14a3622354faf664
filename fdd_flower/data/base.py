"""What a data source gives, and what a client or the server makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fdd_flower.data.large import by_tiles, taken, taken_rows
from fdd_flower.errors import DataError
from fdd_flower.registry import Registry
from fdd_flower.schema import Column, Normalisation, Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Records as they were read.

    Attributes
    ----------
    inputs
        (n, *feature_shape): uint8 images (n, c, h, w), or float32 of any feature shape; of a table
        float64 (n, d).
    labels
        int64, (n,), in [0, number of classes).
    subjects
        int64, (n,): whose record it is, by a number that means nothing else; None: not known.
    groups
        int64, (n,): which hospital, person or device it is of, by its place among the names that
        the `Source` or `Dataset` has; None: not known.
    recordings
        int64, (n,): records of one number are never on both sides of a test split; None: any may.
    """

    inputs: np.ndarray
    labels: np.ndarray
    subjects: np.ndarray | None = None
    groups: np.ndarray | None = None
    recordings: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> Records:
        """Return the records at `indices`, in that order."""
        return Records(
            inputs=taken(self.inputs, indices),
            labels=self.labels[indices],
            subjects=None if self.subjects is None else self.subjects[indices],
            groups=None if self.groups is None else self.groups[indices],
            recordings=None if self.recordings is None else self.recordings[indices],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Normalised records, ready for a model.

    Attributes
    ----------
    inputs
        float32, (n, *feature_shape).
    labels
        int64, (n,), in [0, len(classes)).
    classes
        Names of all classes of the federation, held by this split or not.
    subjects
        int64, (n,): whose record it is, by a number that means nothing else; None: not known.
    groups
        int64, (n,): which hospital, person or device it is of, by its place among the names that
        the `Source` or `Dataset` has; None: not known.
    """

    inputs: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    subjects: Tensor | None = None
    groups: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.inputs.shape[1:])

    def take(self, places: Tensor) -> Split:
        """Return the records at `places`, or where a mask is true, in that order."""
        return Split(
            inputs=taken_rows(self.inputs, places),
            labels=self.labels[places],
            classes=self.classes,
            subjects=None if self.subjects is None else self.subjects[places],
            groups=None if self.groups is None else self.groups[places],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a source file returns.

    `test` is None where the data has no test split of its own; `normalisation` is None
    where no published constants exist, and then the reader's caller fits them. `columns` are
    those of a table, and `group_names` what `Records.groups` number. With `in_cells` the inputs are
    a table's cells, float64 (n, number of columns), which are yet to be encoded; `label` is then
    the column of the class, and `prior` the schema's, if it has one.
    `channels` are the names of a series' channels, and `rate` its samples a second; 0: not known.
    `notes` say what a user should know of the reading: what was ignored, filled in or taken for
    something, a line each; a run begins with them.
    """

    train: Records
    test: Records | None
    classes: tuple[str, ...]
    normalisation: Normalisation | None = None
    columns: tuple[Column, ...] = ()
    group_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    in_cells: bool = False
    label: str = ""
    prior: tuple[float, ...] = ()
    channels: tuple[str, ...] = ()
    rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One data set with its training and test records, as server or simulation see it."""

    train: Records
    test: Records
    classes: tuple[str, ...]
    normalisation: Normalisation
    columns: tuple[Column, ...] = ()
    group_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    label: str = ""
    prior: tuple[float, ...] = ()
    channels: tuple[str, ...] = ()
    rate: float = 0.0

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.test.inputs.shape[1:])

    @property
    def schema(self) -> Schema:
        """What is public about a record."""
        return Schema(
            classes=self.classes,
            feature_shape=self.feature_shape,
            normalisation=self.normalisation,
            columns=self.columns,
            label=self.label,
            prior=self.prior,
            channels=self.channels,
            rate=self.rate,
        )

    def split(self, records: Records) -> Split:
        """Return `records` normalised."""
        return Split(
            inputs=normalised(records.inputs, self.normalisation),
            labels=torch.from_numpy(records.labels),
            classes=self.classes,
            subjects=None if records.subjects is None else torch.from_numpy(records.subjects),
            groups=None if records.groups is None else torch.from_numpy(records.groups),
        )


def normalised(inputs: np.ndarray, normalisation: Normalisation) -> Tensor:
    """Return float32 model inputs of the same shape; those too large for memory lie in a file."""
    return torch.from_numpy(
        by_tiles(lambda some: normalisation.apply(inputs[some]).numpy(), len(inputs))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What a federation agreed on about a record, for a source that is to read each one alone.

    A source that gets it takes what a record is from the record itself, from this, from the
    settings and from the form of the file (its header, the types of its arrays), and never from
    another record. A form that does not allow it is refused; a record that does not fit is never
    refused, but kept as one that `fitting` leaves out. Only the training records count.

    `channels` and `rate` are of series; empty and 0: not known.
    """

    feature_shape: tuple[int, ...]
    channels: tuple[str, ...] = ()
    rate: float = 0.0


# Of a DataConfig; one of tables takes `schema` too, and one that can read records alone `agreed`.
Reader = Callable[..., Source]

SOURCES: Registry[Reader] = Registry("data", "fdd_flower.data.sources", helpers=("paths",))


def refuse(what: str, *, expected: str, got: object, remedy: str) -> DataError:
    """Return the error of a source, on one line even where `got` is a library's message."""
    return DataError(what, expected=expected, got=" ".join(str(got).split()), remedy=remedy)


def shown(names: Iterable[str], *, limit: int = 20) -> str:
    """Return `names` for an error message: the first `limit`, and how many more there are.

    >>> shown(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    known = list(names)
    more = f" and {len(known) - limit} more" if len(known) > limit else ""
    return ", ".join(known[:limit]) + more
