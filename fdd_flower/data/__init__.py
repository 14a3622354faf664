"""Records in: a whole data set, a simulated client's share of it, or a node's own files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch

from fdd_flower.config import DataConfig, PartitionConfig
from fdd_flower.data.alone.fitting import fitting
from fdd_flower.data.base import SOURCES, Agreed, Dataset, Split, normalised, refuse, shown
from fdd_flower.data.checks import check_classes, check_records, check_splits
from fdd_flower.data.fit import fit_normalisation, hold_out
from fdd_flower.data.groups import alike_groups, check_groups, held_out_groups, natural_groups
from fdd_flower.data.images.colour import with_channels
from fdd_flower.data.partition import partition_indices
from fdd_flower.data.recordings.times import check_series
from fdd_flower.data.schema_toml import read_schema
from fdd_flower.data.shift import shifted, shifted_in_turn
from fdd_flower.data.sources.paths import given_path
from fdd_flower.data.subjects import read_source
from fdd_flower.data.tables.constants import kinds_of, with_constants
from fdd_flower.data.tables.encode import encoded
from fdd_flower.rng import derive
from fdd_flower.schema import Column, Normalisation, Schema, normalisation_of

__all__ = [
    "SOURCES",
    "client_share",
    "evaluation_split",
    "load_dataset",
    "load_own",
    "natural_groups",
    "shares",
]


def load_dataset(cfg: DataConfig, *, seed: int, schema: Schema | None = None) -> Dataset:
    """Return the data set with its test split and normalisation.

    Without a test split of its own, `cfg.test_fraction` of each class is held out, or the groups
    that `cfg.test_groups` names; with `cfg.holdout` a share of the training records takes its
    place. Without published constants, they are fitted on the training records (on the test records
    where there are no others); so is the schema of a table, unless `cfg.schema` names one. Read
    once a process: later changes to the files are not seen.

    Parameters
    ----------
    schema
        Of the tables, in place of what `cfg.schema` names.

    Raises
    ------
    DataError
        If the data is missing, damaged, without the subjects that `cfg.subject` names, or labelled
        so that no model could learn it (see `check_classes`).
    """
    return _load(cfg, seed, schema)


@lru_cache(maxsize=4)
def _load(cfg: DataConfig, seed: int, schema: Schema | None) -> Dataset:
    schema = schema or _named_schema(cfg)
    source = read_source(cfg, schema)
    check_groups(cfg, source)
    parts = [source.train] if source.test is None else [source.train, source.test]
    for part in parts:
        check_records(cfg.name, part, source.classes, in_cells=source.in_cells)
    notes = check_classes(
        source.classes, source.train, source.test, label=source.label, read=source.notes
    )
    notes += alike_groups(source)
    train, test = source.train, source.test
    if cfg.test_groups:
        train, test = held_out_groups(cfg, source)
    elif test is None:
        train, test = hold_out(train, cfg.test_fraction, seed=seed, classes=source.classes)
    if cfg.holdout:
        again = derive(seed, "holdout")
        train, test = hold_out(
            train, cfg.holdout, seed=again, option="data.holdout", classes=source.classes
        )
    sample, drafted = train if len(train) else test, ()
    columns, scale = source.columns, source.normalisation
    if source.in_cells:
        if schema is None:
            columns = with_constants(columns, sample.inputs)
            drafted = (f"schema drafted from the training records: {kinds_of(columns)}",)
        scale = normalisation_of(columns)
        train, test = (encoded(part, columns) for part in (train, test))
    elif scale is None:
        scale = fit_normalisation(sample)
        columns = _scaled(columns, scale)
    return Dataset(
        train=train,
        test=test,
        classes=source.classes,
        normalisation=scale,
        columns=columns,
        group_names=source.group_names,
        notes=(*source.notes, *drafted, *notes, *check_splits(source.classes, train, test)),
        label=source.label,
        prior=source.prior,
        channels=source.channels,
        rate=source.rate,
    )


def _named_schema(cfg: DataConfig) -> Schema | None:
    if not cfg.schema:
        return None
    schema = read_schema(cfg.schema)
    if cfg.label not in (schema.label, DataConfig().label):
        raise refuse(
            "data.label",
            expected=f"{schema.label!r}, the label of data.schema",
            got=repr(cfg.label),
            remedy="Leave it out: the schema names the label.",
        )
    return schema


def _scaled(columns: tuple[Column, ...], scale: Normalisation) -> tuple[Column, ...]:
    """Return columns of numbers with the constants that were fitted."""
    if len(columns) != len(scale.mean):
        return columns
    return tuple(
        dataclasses.replace(column, centre=centre, scale=spread)
        for column, centre, spread in zip(columns, scale.mean, scale.std, strict=True)
    )


def load_own(
    cfg: DataConfig,
    *,
    path: str,
    classes: tuple[str, ...],
    feature_shape: tuple[int, ...],
    normalisation: Normalisation,
    columns: tuple[Column, ...] = (),
    label: str = "",
    channels: tuple[str, ...] = (),
    rate: float = 0.0,
    tell: Callable[[str], None] = lambda _: None,
) -> Split:
    """Return a node's own training records, read from `path`, as the federation sees them.

    With `cfg.alone` what a record becomes follows from that record alone, see `Agreed`, and one
    that does not fit is left out: there may then be none.

    Parameters
    ----------
    path
        Goes before `cfg.path`.
    classes, feature_shape, normalisation
        The federation's. Classes are matched by name; the node need not hold them all.
    columns, label
        Of the federation's tables: what each column is, and the one with the class.
    channels, rate
        Of the federation's series: the names of the channels, and samples a second. A node of which
        they are not known is believed.
    tell
        Gets, with `cfg.alone`, what the owner of the records should know of what was left out.

    Raises
    ------
    DataError
        If the data cannot be read, a class is unknown, a record has another shape, or a cell is
        not what its column says.
    """
    # the share that the server tests on is no business of a node: it trains on all it has
    own = dataclasses.replace(cfg, path=path, test_fraction=DataConfig().test_fraction)
    given_path(own)
    schema = None
    if columns and label:
        schema = Schema.of_table(columns, classes=classes, label=label)
    agreed = None
    if cfg.alone:
        agreed = Agreed(feature_shape=feature_shape, channels=channels, rate=rate)
    source = read_source(own, schema, agreed=agreed)
    if agreed is not None:
        source, left_out = fitting(source, classes)
        for note in filter(None, (*source.notes, left_out)):
            tell(f"{path}: {note}")
    records = source.train
    if source.in_cells:
        records = encoded(records, source.columns)
    if agreed is None or len(records):
        check_records(own.name, source.train, source.classes, in_cells=source.in_cells)
    if channels and source.channels:
        check_series(path, source, channels, rate)
    held = [source.classes[i] for i in np.unique(records.labels)]
    unknown = [name for name in held if name not in classes]
    if unknown:
        raise refuse(
            f"{path}: class {shown(unknown)}",
            expected=f"one of the federation's classes, {shown(classes)}",
            got="an unknown one",
            remedy="Rename or remove these records, or let the server's data name the class.",
        )
    images = own.name in ("folder", "hub") and {len(feature_shape), records.inputs.ndim - 1} == {3}
    if images and not cfg.alone:
        # whether all images of a node happen to be grey is no business of the federation's
        inputs = with_channels(records.inputs, feature_shape[0])
        records = dataclasses.replace(records, inputs=inputs)
    if records.inputs.shape[1:] != feature_shape:
        raise refuse(
            f"{path}: shape of a record",
            expected=f"{feature_shape}, as on the server",
            got=records.inputs.shape[1:],
            remedy="Bring the data into the form that the server's has.",
        )
    place = {name: i for i, name in enumerate(classes)}
    # -1 is never looked up: every class that is held is known.
    table = np.array([place.get(name, -1) for name in source.classes])
    return Split(
        inputs=normalised(records.inputs, normalisation),
        labels=torch.from_numpy(table[records.labels]),
        classes=classes,
        subjects=None if records.subjects is None else torch.from_numpy(records.subjects),
    )


def client_share(
    dataset: Dataset, cfg: PartitionConfig, *, client: int, num_clients: int, seed: int
) -> Split:
    """Return the training records of simulated client `client`, counted from 0.

    Raises
    ------
    DataError
        If there is no such client, or the records cannot be split into `num_clients`.
    ConfigError
        If `cfg` asks for more classes a client than there are.
    """
    if not 0 <= client < num_clients:
        raise refuse(
            "partition-id",
            expected=f"from 0 to {num_clients - 1}",
            got=client,
            remedy="Start the SuperNodes with partition-id=0 up to num-partitions - 1.",
        )
    parts = shares(dataset, cfg, num_clients=num_clients, seed=seed)
    records = dataset.train.take(parts[client])
    if cfg.shift == "images":
        records = shifted(records, client, seed=seed)
    return dataset.split(records)


def evaluation_split(dataset: Dataset, cfg: PartitionConfig, *, seed: int) -> Split:
    """Return the test records as the clients' are: with `cfg.shift`, shifted in all ways.

    Raises
    ------
    ConfigError
        If the records cannot be shifted.
    """
    if cfg.shift == "none":
        return dataset.split(dataset.test)
    return dataset.split(shifted_in_turn(dataset.test, seed=seed))


def shares(
    dataset: Dataset, cfg: PartitionConfig, *, num_clients: int, seed: int
) -> list[np.ndarray]:
    """Return each simulated client's training records, by their places; see `partition_indices`.

    With `cfg.name` "column" a client holds a group's: the largest groups, in the order of names.

    Raises
    ------
    DataError
        If the records cannot be split into `num_clients`.
    ConfigError
        If `cfg` asks for more classes a client than there are.
    """
    labels = dataset.train.labels
    if cfg.name == "column":
        chosen = natural_groups(dataset, cfg, clients=num_clients)
        assert dataset.train.groups is not None
        client_of = np.full(len(dataset.group_names), -1)
        client_of[chosen] = np.arange(num_clients)
        clients = client_of[dataset.train.groups]
        return partition_indices(labels, cfg, num_clients=num_clients, seed=seed, clients=clients)
    return _partition(labels.tobytes(), cfg, num_clients, seed)


@lru_cache(maxsize=4)
def _partition(
    labels: bytes, cfg: PartitionConfig, num_clients: int, seed: int
) -> list[np.ndarray]:
    return partition_indices(
        np.frombuffer(labels, dtype=np.int64), cfg, num_clients=num_clients, seed=seed
    )
