"""`fdd_flower.distill`: records in, a small synthetic set out."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fdd_flower.api.inputs import Kind, is_mixed, model_inputs, records_of
from fdd_flower.api.labels import class_names, given_names, places_of
from fdd_flower.api.settings import run_config
from fdd_flower.api.synthetic import BYTES, SyntheticSet
from fdd_flower.config import Scalar, find_key, from_run_config, with_preset
from fdd_flower.data.base import Records, Split, refuse, shown
from fdd_flower.data.fit import fit_normalisation
from fdd_flower.data.tables.cells import cells_of
from fdd_flower.data.tables.constants import with_constants
from fdd_flower.data.tables.draft import draft_columns
from fdd_flower.device import moved, resolve
from fdd_flower.distillers.base import DISTILLERS, Plan, packing_of
from fdd_flower.distillers.parts.options import check_options
from fdd_flower.errors import ConfigError
from fdd_flower.rng import stream
from fdd_flower.schema import Column, Schema
from fdd_flower.threads import threads
from fdd_flower.wire.codecs.base import array_bytes, build_codec, resolved
from fdd_flower.wording import many

if TYPE_CHECKING:
    import pandas as pd

SECTIONS = ("distiller", "codec", "runtime")
CLIENT, ROUND = "0", 1  # whose draws these are: those of the first client in its first round


def distill(
    x: object,
    y: object,
    *,
    bytes: int | None = None,
    ipc: int | None = None,
    distiller: str = "dm",
    preset: str = "balanced",
    seed: int = 0,
    classes: Iterable[object] | None = None,
    columns: Iterable[str] | None = None,
    kind: Kind = "auto",
    schema: Schema | None = None,
    **settings: Any,
) -> SyntheticSet:
    """Distil records into a small synthetic set, as one client of a federation would.

    The set is what the receiver of the message would have: encoded by the codec and decoded
    again. Nothing leaves this machine here. If you pass the result on, this goes with it: the
    synthetic records, which are computed from real ones without a formal privacy guarantee; the
    number of real records that each stands for; the names of classes and columns; and the mean
    and standard deviation of each channel or column, unless `schema` brings those of others.

    Parameters
    ----------
    x
        Records as a NumPy array, a tensor, or a pandas DataFrame. Images are (n, h, w),
        (n, c, h, w) or (n, h, w, c), series (n, channels, steps), vectors (n, d). Words, dates and
        gaps of a DataFrame are encoded by a schema drafted from its own rows.
    y
        (n,) labels: whole numbers or names, as an array, a tensor, a list or a pandas Series.
    bytes
        Size of the message, in bytes, to fill; the number of rows follows. None: by `ipc`, or for
        images by `preset`.
    ipc
        Synthetic records per class; None: the default of `distiller.ipc`.
    distiller
        dm, dm-krr, krr, ncfm, dc, dsa, kmeans, herding or random; the last two send real
        records as they are. A name may also be "package.module:Factory".
    preset
        What fills in settings that you leave open, for images of at least 16x16 pixels: "tiny",
        "balanced" or "best", as in a run; "none": nothing.
    seed
        The same seed and data give the same set.
    classes
        Names of all classes, in order, where `y` may lack some. Whole numbers in `y` are then
        places in this list, unless the names are numbers too.
    columns
        Names of the features of vectors; a DataFrame brings its own.
    kind
        What a record is: "image", "series", "vector"; "auto" goes by the shape. (n, a, b) are
        grey images if they are uint8 or square, else series of `a` channels.
    schema
        Classes, columns and constants of another set, so that the two can be merged or compared.
    **settings
        Of the sections `distiller`, `codec` and `runtime` of the run config, with underscores:
        `distiller_steps=50`, `codec_name="avif"`.

    Raises
    ------
    DataError
        If `x` or `y` are not such records and labels.
    ConfigError
        If a setting is unknown, out of range, or does not fit the records.
    DistillError
        If no class has enough records, or `bytes` has no room for one row per class.

    Warns
    -----
    UserWarning
        If a class has fewer records than `distiller.min-records` and is left out.

    Examples
    --------
    >>> import fdd_flower as fdd
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> fdd.distill(digits.images, digits.target, bytes=8_000)  # doctest: +SKIP
    SyntheticSet(110 rows of 10 classes for 1,797 real records; images of 1x8x8; 7.99 kB)
    """
    given = _settings(
        settings, distiller=distiller, bytes_=bytes, ipc=ipc, preset=preset, seed=seed
    )
    data, schema = _records(x, y, kind, schema, classes, columns)
    cfg = with_preset(
        from_run_config(given),
        shape=schema.feature_shape,
        classes=len(schema.classes),
        given=given,
    ).config
    data = moved(data, resolve(cfg.runtime.device))
    check_options(cfg.distiller, schema.feature_shape, rounds=1)
    codec = build_codec(cfg.codec, schema.feature_shape)
    plan = Plan.of(schema, seed=cfg.seed, run="distill", round_=ROUND, codec=codec)
    rng = stream(cfg.seed, "client", CLIENT, ROUND)
    with threads(cfg.runtime.client_threads):
        found = DISTILLERS.get(cfg.distiller.name)(cfg.distiller).distill(
            data, plan=plan, start=None, rng=rng
        )
        arrays = (found.codec or codec).encode(found.synthetic)
        sent = codec.decode(
            arrays, feature_shape=schema.feature_shape, num_classes=len(schema.classes)
        )
        part = packing_of(cfg.distiller, schema.feature_shape, codec).unpack(sent)
    if found.withheld:
        warnings.warn(
            f"left out, with fewer records than distiller_min_records="
            f"{cfg.distiller.min_records}: {shown(found.withheld)}",
            stacklevel=2,
        )
    name = resolved(cfg.codec, schema.feature_shape).name
    meta = {**found.synthetic.meta, "codec": name, BYTES: str(array_bytes(arrays))}
    return SyntheticSet(
        inputs=part.inputs,
        targets=part.targets,
        weights=part.weights,
        meta=meta,
        schema=schema,
    )


def _settings(
    settings: dict[str, Any],
    *,
    distiller: str,
    bytes_: int | None,
    ipc: int | None,
    preset: str,
    seed: int,
) -> dict[str, Scalar]:
    """Return what is given, by key; what is not allowed is refused before any record is read."""
    if bytes_ is not None and ipc is not None:
        raise ConfigError(
            "distill",
            expected="bytes or ipc",
            got="both",
            remedy="Rows follow from the bytes: leave one of them out.",
        )
    found = run_config(settings, only=SECTIONS)
    given = {"distiller.name": distiller, "distiller.bytes": bytes_, "distiller.ipc": ipc}
    for name, value in ({"seed": seed, "preset": preset} | given).items():
        if value is not None:
            found[name] = find_key(name).check(value)
    return found


def _records(
    x: object,
    y: object,
    kind: Kind,
    schema: Schema | None,
    classes: Iterable[object] | None,
    columns: Iterable[str] | None,
) -> tuple[Split, Schema]:
    """Return the records as a distiller takes them, and their schema."""
    if schema is not None:
        if classes is not None or columns is not None:
            raise refuse(
                "schema",
                expected="no classes or columns beside it",
                got="both",
                remedy="The schema has them: leave the others out.",
            )
        inputs = model_inputs(x, schema)
        labels = places_of(y, schema.classes)
        _check_lengths(len(inputs), labels)
        split = Split(inputs=inputs, labels=torch.from_numpy(labels), classes=schema.classes)
        return split, schema
    names = class_names(y) if classes is None else given_names(classes)
    labels = places_of(y, names)
    if len(names) < 2:
        raise refuse(
            "y",
            expected="at least 2 classes",
            got=f"only {shown(names)}",
            remedy="Name all classes of the federation in classes=.",
        )
    if columns is None and is_mixed(x):
        found = _drafted(x.rename(columns=str), names)
        inputs = model_inputs(x, found)
        _check_lengths(len(inputs), labels)
        return Split(inputs=inputs, labels=torch.from_numpy(labels), classes=names), found
    values, named = records_of(x, kind=kind)
    _check_lengths(len(values), labels)
    found = Schema(
        classes=names,
        feature_shape=values.shape[1:],
        normalisation=fit_normalisation(Records(inputs=values, labels=labels)),
        columns=tuple(
            Column(name=name)
            for name in (named if columns is None else _given_columns(columns, values))
        ),
    )
    split = Split(
        inputs=found.normalisation.apply(values), labels=torch.from_numpy(labels), classes=names
    )
    return split, found


def _drafted(frame: pd.DataFrame, classes: tuple[str, ...]) -> Schema:
    """Return the schema of a table, drafted from its own rows."""
    columns = draft_columns("x", frame)
    columns = with_constants(columns, cells_of("x", frame, columns))
    return Schema.of_table(columns, classes=classes, label="")


def _check_lengths(records: int, labels: np.ndarray) -> None:
    if records != len(labels):
        raise refuse(
            "y",
            expected=f"{many(records, 'label')}, one a record",
            got=len(labels),
            remedy="Give every record one label.",
        )


def _given_columns(columns: Iterable[str], values: np.ndarray) -> tuple[str, ...]:
    names = tuple(str(name) for name in columns)
    if values.ndim != 2 or len(set(names)) != values.shape[1] or len(names) != values.shape[1]:
        raise refuse(
            "columns",
            expected=f"a name of its own for each of {many(values.shape[1], 'feature')}"
            if values.ndim == 2
            else "none for records that are not vectors",
            got=shown(names),
            remedy="Leave it out, or name every column once.",
        )
    return names
