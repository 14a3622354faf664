"""Columns of a data set as records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.alone.cells import ALONE, text_of
from fdd_flower.data.alone.table import plain_values
from fdd_flower.data.base import Agreed, Records, Source, refuse
from fdd_flower.data.groups import grouped
from fdd_flower.data.hub.kinds import IMAGE
from fdd_flower.data.images.files import image_suffixes
from fdd_flower.data.images.many import read_images
from fdd_flower.data.subjects import numbered, numbered_subjects

if TYPE_CHECKING:
    import datasets
    import pandas as pd


def class_names(part: datasets.Dataset, label: str, *, alone: bool = False) -> list[str | None]:
    """Return the class of each record by name; None where it has none."""
    import datasets

    feature: Any = part.features[label]
    values = column(part, label, alone=alone)
    if isinstance(feature, datasets.ClassLabel):
        if alone:
            known = {at: str(name) for at, name in enumerate(feature.names)}
            return [known.get(value) for value in values]
        return [None if v is None or v < 0 else str(feature.int2str(v)) for v in values]
    return [None if v is None else _name(v) for v in values]


def _name(value: object) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value).strip()  # pyright: ignore[reportArgumentType]


def column(part: datasets.Dataset, name: str, *, alone: bool = False) -> list[Any]:
    """Return one column as plain Python values; `alone`: see `plain_values`."""
    if alone:
        found: Any = part.select_columns([name]).with_format("arrow")[:]
        return plain_values(found.column(name))
    return part.select_columns([name]).with_format(None)[:][name]


def frame_of(
    part: datasets.Dataset, columns: Sequence[str], label: str, *, alone: bool = False
) -> pd.DataFrame:
    """Return columns as a table, those of classes by name.

    Parameters
    ----------
    alone
        Whether cells are texts, which are to be read each by itself; see `frame_alone`.
    """
    import datasets
    import pandas as pd

    if alone:
        texts: Any = {}
        for name in dict.fromkeys(columns):
            named = name == label or isinstance(part.features[name], datasets.ClassLabel)
            values = (class_names if named else column)(part, name, alone=True)
            texts[name] = pd.Series([text_of(value) for value in values], dtype=object)
        found = pd.DataFrame(texts)
        found.attrs[ALONE] = True
        return found
    frame: Any = part.select_columns([*dict.fromkeys(columns)]).with_format(None).to_pandas()
    for name in frame.columns:
        if name == label or isinstance(part.features[name], datasets.ClassLabel):
            frame[name] = pd.Series(class_names(part, name), dtype=object)
    return frame


def arrays_source(
    what: str,
    parts: Sequence[datasets.Dataset],
    kind: str,
    columns: Sequence[str],
    cfg: DataConfig,
    scratch: Path,
    agreed: Agreed | None = None,
) -> Source:
    """Return images, or series of the channels `columns`, of splits to train and to test on.

    Parameters
    ----------
    what
        The data set, for an error.
    scratch
        Where pictures lie as files while they are read.
    agreed
        Given, each record is read alone, pictures as float32: one that cannot be read is all NaN,
        and one without a class is of class "".

    Raises
    ------
    DataError
        If a record has no class or no picture, a picture cannot be read, or series differ in
        length.
    """
    alone = agreed is not None
    labels = [class_names(part, cfg.label, alone=alone) for part in parts]
    for part in labels:
        if None in part and not alone:
            raise refuse(
                f"{what}: column {cfg.label!r}",
                expected="a class in every record",
                got=f"none in record {part.index(None)}, counted from 0",
                remedy="Fill in or drop such records.",
            )
    named = [[name or "" for name in part] for part in labels]
    classes = _classes(parts[0], cfg.label, {name for part in named for name in part})
    place = {name: i for i, name in enumerate(classes)}
    notes: list[str] = []
    read = (
        _images(what, parts, columns[0], cfg, scratch, agreed, notes)
        if kind == IMAGE
        else [_each(part, columns, agreed.feature_shape) for part in parts]
        if agreed is not None
        else [_series(what, part, columns) for part in parts]
    )
    if read[0].shape[1:] != read[-1].shape[1:]:
        raise refuse(
            what,
            expected=f"test records of shape {read[0].shape[1:]}, as those to train on",
            got=read[-1].shape[1:],
            remedy="Save both splits with the same preprocessing.",
        )
    records = [
        Records(inputs=x, labels=np.array([place[name] for name in names], dtype=np.int64))
        for x, names in zip(read, named, strict=True)
    ]
    train = records[0]
    if cfg.subject and cfg.subject in parts[0].column_names:
        names = column(parts[0], cfg.subject, alone=alone)
        whose = numbered_subjects(names) if alone else numbered(names)
        # a person's series are not to stand on both sides of a split
        apart = None if kind == IMAGE else whose
        train = Records(inputs=train.inputs, labels=train.labels, subjects=whose, recordings=apart)
    # of a column that holds several channels these have no names
    each = kind != IMAGE and train.inputs.shape[1] == len(columns)
    found = Source(
        train=train,
        test=records[1] if records[1:] else None,
        classes=classes,
        channels=tuple(columns) if each else (),
        rate=cfg.rate,
        notes=tuple(notes),
    )
    if alone or not cfg.column or cfg.column not in parts[0].column_names:
        return found
    groups = [
        column(part, cfg.column) if cfg.column in part.column_names else None for part in parts
    ]
    return grouped(found, *groups)


def _classes(part: datasets.Dataset, label: str, held: set[str]) -> tuple[str, ...]:
    import datasets

    feature: Any = part.features[label]
    if isinstance(feature, datasets.ClassLabel):
        return (*feature.names, *(held - {*feature.names}))
    return tuple(sorted(held))


def _images(
    what: str,
    parts: Sequence[datasets.Dataset],
    name: str,
    cfg: DataConfig,
    scratch: Path,
    agreed: Agreed | None,
    notes: list[str],
) -> list[np.ndarray]:
    """Return the pictures of each split, read as those of a folder are; `notes` get what is odd."""
    import datasets

    paths: list[Path] = []
    for part in parts:
        for cell in part.cast_column(name, datasets.Image(decode=False))[:][name]:
            if cell is None or not (cell["bytes"] or cell["path"]):
                if agreed is not None:
                    paths.append(scratch / "none")
                    continue
                raise refuse(
                    f"{what}: column {name!r}",
                    expected="a picture in every record",
                    got=f"none in record {len(paths)}, counted from 0",
                    remedy="Drop such records.",
                )
            path = Path(cell["path"] or "")
            if cell["bytes"]:
                known = agreed is None or path.suffix.lower() in image_suffixes()
                suffix = path.suffix if known else ""
                path = scratch / f"record-{len(paths)}{suffix}"
                path.write_bytes(cell["bytes"])
            paths.append(path)
    size = (cfg.image_size, cfg.image_size)
    images = read_images(
        Path(what),
        paths,
        size,
        channels=None if agreed is None else agreed.feature_shape[0],
        deep=agreed is not None,
        resize=cfg.resize,
        ground=cfg.ground,
        notes=notes if agreed is None else None,
    )
    return np.split(images, np.cumsum([len(part) for part in parts])[:-1])


def _each(part: datasets.Dataset, columns: Sequence[str], agreed: Sequence[int]) -> np.ndarray:
    """Return series as float32 (n, channels, length), those of another length as NaN."""
    import datasets

    channels = []
    for name in columns:
        feature: Any = part.features[name]
        grid = isinstance(feature, datasets.Array2D)
        shape = (feature.shape[0] or agreed[0], agreed[-1]) if grid else (agreed[-1],)
        rows = column(part, name, alone=True)
        values = np.full((len(rows), *shape), np.nan, dtype=np.float32)
        for place, row in enumerate(rows):
            try:
                with np.errstate(over="ignore"):
                    found = np.array(row, dtype=np.float32)
            except (TypeError, ValueError, OverflowError):
                continue
            if found.shape == shape:
                values[place] = found
        channels.append(values if grid else values[:, None])
    return np.concatenate(channels, axis=1)


def _series(what: str, part: datasets.Dataset, columns: Sequence[str]) -> np.ndarray:
    """Return series as float32 (n, channels, length)."""
    channels = []
    for name in columns:
        rows = column(part, name)
        shapes = {np.shape(row) for row in rows}
        if len(shapes) != 1:
            raise refuse(
                f"{what}: column {name!r}",
                expected="as many numbers in each record",
                got=" and ".join(map(str, sorted(shapes)[:2])),
                remedy="Cut them to one length, or use data.name=series.",
            )
        with np.errstate(over="ignore"):  # what is infinite then is refused
            values = np.array(rows, dtype=np.float32)
        channels.append(values[:, None] if values.ndim == 2 else values)
    if len({values.shape[2] for values in channels}) > 1:
        raise refuse(
            f"{what}: data.columns",
            expected="channels of one length",
            got=", ".join(f"{n}: {v.shape[2]}" for n, v in zip(columns, channels, strict=True)),
            remedy="Name those that belong together.",
        )
    return np.concatenate(channels, axis=1)
