"""Reading the folder of a run back."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from fdd_flower.config import Config, flatten, from_run_config
from fdd_flower.errors import ConfigError, DataError
from fdd_flower.run_folder.rows import RoundRow, Summary
from fdd_flower.run_folder.run_dir import CONFIG, ROUNDS, SCHEMA, SUMMARY, SYNTHETIC
from fdd_flower.run_folder.saved_set import SavedSet, load_set
from fdd_flower.run_folder.schema_file import load_schema
from fdd_flower.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that ended.

    `synthetic` is None where the run has no merged set: it failed before one was made, or
    its strategy averages parameters. `schema` is None where it ended before its first round.
    """

    path: Path
    rows: tuple[RoundRow, ...]
    summary: Summary
    config: Config
    synthetic: SavedSet | None
    schema: Schema | None


def load_run(path: Path) -> Run:
    """Read the run in the folder `path`.

    Raises
    ------
    DataError
        If there is no run, or a file of it is missing or broken; it names the file.
    """
    summary = Summary.from_json(_read(path / SUMMARY), where=str(path / SUMMARY))
    lines = _read(path / ROUNDS).splitlines()
    rows = tuple(
        RoundRow.from_json(line, where=f"{path / ROUNDS}, line {number}")
        for number, line in enumerate(lines, start=1)
    )
    synthetic = _read_synthetic(path / SYNTHETIC, summary)
    return Run(
        path=path,
        rows=rows,
        summary=summary,
        config=read_config(path / CONFIG),
        synthetic=synthetic,
        schema=_read_schema(path / SCHEMA, synthetic),
    )


def _read_schema(path: Path, synthetic: SavedSet | None) -> Schema | None:
    """Return the schema in `path`; of a run from before there was one, what its set knows."""
    if path.exists():
        return load_schema(path)
    return synthetic.schema if synthetic else None


def _read_synthetic(path: Path, summary: Summary) -> SavedSet | None:
    expected = summary.completed and summary.distiller != ""
    return load_set(path) if expected or path.exists() else None


def read_config(path: Path) -> Config:
    """Read the settings of a run; keys that it does not know yet have their defaults.

    Raises
    ------
    DataError
        If the file is missing or broken, or holds a key that this version does not know.
    """
    try:
        return from_run_config(flatten(tomllib.loads(_read(path).decode())))
    except (ValueError, ConfigError) as error:
        raise DataError(
            str(path),
            expected="the settings of a run, in TOML",
            got=f"{type(error).__name__}: {error}",
            remedy="Read this run with the version that made it.",
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            str(path),
            expected="a file that a finished run leaves",
            got=error.strerror or str(error),
            remedy="Pass the folder of a run that ended; a run that was killed has no summary.",
        ) from error
