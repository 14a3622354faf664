"""Records without labels, in the form that a run's models take: by the run's schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from fdd_flower.config import DataConfig
from fdd_flower.data.archives.arrays import inputs_key, read_arrays
from fdd_flower.data.archives.inputs import as_inputs
from fdd_flower.data.base import refuse, shown
from fdd_flower.data.images.files import image_suffixes, parted, visible_files
from fdd_flower.data.images.many import read_images
from fdd_flower.data.tables.encode import table_inputs
from fdd_flower.data.tables.files import SUFFIXES, ending, read_frame
from fdd_flower.schema import Schema

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
    """

    inputs: Tensor
    names: Sequence[str | int]
    ignored: tuple[str, ...] = ()


def read_unlabelled(path: Path, schema: Schema, cfg: DataConfig | None = None) -> Unlabelled:
    """Return the records in `path`: a CSV or Parquet table, an archive, an image, or a folder.

    Labels are not needed and not read. A table's columns are found by their names, in any order;
    an archive's array is `x`; images are resized, and made grey or coloured, to fit.

    Parameters
    ----------
    cfg
        How the run reads images; None: by the defaults.

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
    if path.is_file() and ending(path) in SUFFIXES:
        return _table(path, schema)
    if path.is_file() and suffix == NPZ:
        return _archive(path, schema, cfg or DataConfig())
    if path.is_dir() or suffix in image_suffixes():
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
    frame = read_frame(path)
    if not len(frame):
        raise refuse(
            str(path),
            expected="at least one row",
            got="no row",
            remedy="Check how the file was written.",
        )
    known = {column.name for column in schema.columns}
    return Unlabelled(
        inputs=table_inputs(str(path), frame, schema),
        names=range(len(frame)),
        ignored=tuple(name for name in frame.columns if name not in known),
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
    if inputs.shape[1:] != schema.feature_shape or not len(x):
        raise refuse(
            f"{path}: {key}",
            expected=f"shape (n, {', '.join(map(str, schema.feature_shape))}), n at least 1",
            got=x.shape,
            remedy="Bring the records into the form that the run's data has.",
        )
    inputs = as_inputs(f"{path}: {key}", inputs, len(x), channels="first")
    return Unlabelled(inputs=schema.normalisation.apply(inputs), names=range(len(x)))


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
    pixels = read_images(
        root,
        images,
        (size[0], size[1]),
        channels=channels,
        resize=cfg.resize,
        ground=cfg.ground,
    )
    return Unlabelled(
        inputs=schema.normalisation.apply(pixels),
        names=[file.relative_to(root).as_posix() for file in images],
        ignored=tuple(file.relative_to(root).as_posix() for file in others),
    )


def _records(schema: Schema) -> str:
    """Return what a record of the schema is, in words."""
    size = "x".join(map(str, schema.feature_shape))
    return f"records of the run's kind, {schema.kind} of {size}"
