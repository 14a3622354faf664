"""Records without labels, in the form that a run's models take: by the run's schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from fdd_flower.config import DataConfig
from fdd_flower.data.archives.arrays import inputs_key, read_arrays
from fdd_flower.data.archives.inputs import as_inputs
from fdd_flower.data.base import normalised, refuse, shown
from fdd_flower.data.images.files import parted, visible_files
from fdd_flower.data.images.many import read_images
from fdd_flower.data.recordings.files import read_tables, tables_of
from fdd_flower.data.recordings.table import from_table
from fdd_flower.data.recordings.times import check_rate
from fdd_flower.data.recordings.windows import cut_up, step_of
from fdd_flower.data.tables.encode import table_inputs
from fdd_flower.data.tables.files import SUFFIXES, ending, read_frame, require_rows
from fdd_flower.schema import Schema

if TYPE_CHECKING:
    pass

NPZ = ".npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlabelled:
    """Records as they were read.

    Attributes
    ----------
    inputs
        float32, (n, *feature_shape), normalised.
    names
        Of the records: paths of images, or numbers from 0 in the order of the file.
    ignored
        What was there beside: columns that the run does not know, files that are no images.
    beside
        What else says which record is which, by column, one for each: the recording that a window
        is of, and when it begins.
    notes
        What a user should know of the reading, a line each.
    """

    inputs: Tensor
    names: Sequence[str | int]
    ignored: tuple[str, ...] = ()
    beside: Mapping[str, Sequence[object]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_unlabelled(path: Path, schema: Schema, cfg: DataConfig | None = None) -> Unlabelled:
    """Return the records in `path`: a table, an archive, an image, or a folder of images or tables.

    Labels are not needed and not read. A table's columns are found by their names, in any order;
    an archive's array is `x`; images are resized, and made grey or coloured, to fit. Recordings are
    cut into windows as the run's were.

    Parameters
    ----------
    cfg
        How the run reads images and recordings; None: by the defaults.

    Raises
    ------
    DataError
        If `path` is missing or of an unknown kind, or its records are not of the schema's.
    """
    if not path.exists():
        raise refuse(
            str(path),
            expected="a file or folder that exists and may be read",
            got="none",
            remedy="Check the path.",
        )
    suffix = path.suffix.lower()
    if schema.kind == "series" and (path.is_dir() or ending(path) in SUFFIXES):
        return _recordings(path, schema, cfg or DataConfig())
    if path.is_file() and ending(path) in SUFFIXES:
        return _table(path, schema)
    if path.is_file() and suffix == NPZ:
        return _archive(path, schema, cfg or DataConfig())
    if path.is_dir() or parted([path])[0]:
        return _images(path, schema, cfg or DataConfig())
    raise refuse(
        str(path),
        expected=f"{', '.join(SUFFIXES)}, {NPZ}, an image, or a folder of images",
        got=suffix or "no ending",
        remedy="Save the records in one of these forms.",
    )


def _table(path: Path, schema: Schema) -> Unlabelled:
    if not schema.columns:
        raise refuse(
            str(path),
            expected=_records(schema),
            got="a table, and the run knows no names of columns",
            remedy="Save the records with numpy.savez(path, x=x), as the run's data has them.",
        )
    frame = require_rows(path, read_frame(path))
    known = {column.name for column in schema.columns}
    return Unlabelled(
        inputs=table_inputs(str(path), frame, schema),
        names=range(len(frame)),
        ignored=tuple(name for name in frame.columns if name not in known),
    )


def _recordings(path: Path, schema: Schema, cfg: DataConfig) -> Unlabelled:
    channels, window = schema.feature_shape
    frame = read_tables(tables_of(path), cfg, labelled=False)
    if cfg.time in frame.columns and cfg.recording not in frame.columns:
        frame[cfg.recording] = path.stem
    found = from_table(str(path), frame, cfg, channels=schema.channels, labelled=False)
    if len(found.channels) != channels:
        raise refuse(
            str(path),
            expected=_records(schema),
            got=f"{len(found.channels)} channels, {shown(found.channels)}",
            remedy="Write the channels as the run's data has them.",
        )
    check_rate(str(path), found.rate, schema.rate)
    step = step_of(cfg.step, window)
    cut = [(one, p) for one in found.recordings for p in cut_up(one, window=window, step=step)]
    starts = [(one, start) for one, part in cut for start in part.starts]
    if not cut:
        longest = max(one.values.shape[1] for one in found.recordings)
        raise refuse(
            str(path),
            expected=f"a recording of {window} samples, the run's window, or more without a gap",
            got=f"{longest} in the longest",
            remedy="Record for longer, or train on shorter windows.",
        )
    used = {id(one) for one, _ in cut}
    short = [one.name for one in found.recordings if id(one) not in used]
    left = [f"no window of {window} samples fits into {shown(short, limit=5)}"] if short else []
    known = {cfg.recording, cfg.time, *found.channels}
    return Unlabelled(
        inputs=schema.normalisation.apply(np.concatenate([part.values for _, part in cut])),
        names=range(len(starts)),
        ignored=tuple(name for name in frame.columns if name not in known)
        if cfg.time in frame.columns
        else (),
        beside={
            "recording": [one.name for one, _ in starts],
            "start": [start if one.times is None else one.times[start] for one, start in starts],
        },
        notes=(*found.notes, *left),
    )


def _archive(path: Path, schema: Schema, cfg: DataConfig) -> Unlabelled:
    arrays = read_arrays(path)
    key = inputs_key(arrays)
    if key is None:
        raise refuse(
            str(path),
            expected="an array called x",
            got=shown(sorted(arrays)) or "none",
            remedy="Write it with numpy.savez(path, x=x).",
        )
    x = arrays[key]
    inputs = x
    if x.shape[1:] != schema.feature_shape and len(x):
        inputs = as_inputs(f"{path}: {key}", x, len(x), channels=cfg.channels)
    if _are_longer(inputs, schema):
        whole = as_inputs(f"{path}: {key}", inputs, len(x), channels="first")
        return _cut(whole, schema, cfg)
    if inputs.shape[1:] != schema.feature_shape or not len(x):
        raise refuse(
            f"{path}: {key}",
            expected=f"shape (n, {', '.join(map(str, schema.feature_shape))}), n at least 1",
            got=x.shape,
            remedy="Bring the records into the form that the run's data has.",
        )
    inputs = as_inputs(f"{path}: {key}", inputs, len(x), channels="first")
    return Unlabelled(inputs=normalised(inputs, schema.normalisation), names=range(len(x)))


def _are_longer(x: np.ndarray, schema: Schema) -> bool:
    """Tell whether records are series of which a window of the schema is a part."""
    if schema.kind != "series" or x.ndim != 3 or not len(x):
        return False
    channels, window = schema.feature_shape
    return x.shape[1] == channels and x.shape[2] > window


def _cut(x: np.ndarray, schema: Schema, cfg: DataConfig) -> Unlabelled:
    """Return windows of longer series, (n, channels, samples)."""
    window = schema.feature_shape[1]
    step = step_of(cfg.step, window)
    views = np.lib.stride_tricks.sliding_window_view(x, window, axis=2)[:, :, ::step]
    count = views.shape[2]
    inputs = views.swapaxes(1, 2).reshape(-1, x.shape[1], window).astype(np.float32)
    return Unlabelled(
        inputs=schema.normalisation.apply(inputs),
        names=range(len(inputs)),
        beside={
            "recording": np.repeat(np.arange(len(x)), count).tolist(),
            "start": np.tile(np.arange(count) * step, len(x)).tolist(),
        },
    )


def _images(path: Path, schema: Schema, cfg: DataConfig) -> Unlabelled:
    channels, *size = schema.feature_shape
    if schema.kind != "image" or channels not in (1, 3):
        raise refuse(
            str(path),
            expected=_records(schema),
            got="images",
            remedy="Pass a table or an archive that holds such records.",
        )
    root = path if path.is_dir() else path.parent
    files = visible_files(path) if path.is_dir() else [path]
    images, others = parted(files)
    if not images:
        raise refuse(
            str(path),
            expected="a folder with images in it",
            got=shown(file.name for file in files) or "an empty folder",
            remedy="Pass the folder that holds the images; hidden files do not count.",
        )
    notes: list[str] = []
    pixels = read_images(
        root,
        images,
        (size[0], size[1]),
        channels=channels,
        resize=cfg.resize,
        ground=cfg.ground,
        notes=notes,
    )
    return Unlabelled(
        inputs=normalised(pixels, schema.normalisation),
        names=[file.relative_to(root).as_posix() for file in images],
        ignored=tuple(file.relative_to(root).as_posix() for file in others),
        notes=tuple(notes),
    )


def _records(schema: Schema) -> str:
    """Return what a record of the schema is, in words."""
    size = "x".join(map(str, schema.feature_shape))
    return f"records of the run's kind, {schema.kind} of {size}"
