"""Reading the folder of a run back."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fdd_flower.config import BEFORE, Config, Scalar, flatten, from_run_config, without_removed
from fdd_flower.errors import ConfigError, DataError
from fdd_flower.run_folder.facts.columns_file import load_columns
from fdd_flower.run_folder.facts.evaluation_file import load_evaluation
from fdd_flower.run_folder.facts.schema_file import load_schema
from fdd_flower.run_folder.rows import RoundRow, Summary
from fdd_flower.run_folder.run_dir import (
    COLUMNS,
    CONFIG,
    EVALUATION,
    ROUNDS,
    SCHEMA,
    SUMMARY,
    SYNTHETIC,
)
from fdd_flower.run_folder.saved_set import SavedSet, load_set
from fdd_flower.run_folder.trust import check_plain
from fdd_flower.schema import Schema
from fdd_flower.training.metrics import Answers
from fdd_flower.training.metrics.likeness import Likeness


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that ended.

    Attributes
    ----------
    synthetic
        None where the run has no merged set: it failed before one was made, or its strategy
        averages parameters.
    schema
        None where it ended before its first round.
    answers
        How its model answers on the test records; None in runs from before that was kept.
    likeness
        Test records beside synthetic rows, of a table; else None, as in runs from before that was
        kept.
    lost
        Settings of an older version, by name, that this one has no way to follow.
    trust
        Whether components of other packages that its files name may be imported.
    """

    path: Path
    rows: tuple[RoundRow, ...]
    summary: Summary
    config: Config
    synthetic: SavedSet | None
    schema: Schema | None
    answers: Answers | None = None
    likeness: Likeness | None = None
    lost: Mapping[str, Scalar] = field(default_factory=dict)
    trust: bool = False

    def class_names(self, count: int) -> tuple[str, ...]:
        """Return the names of `count` classes, or numbers where the run does not name so many."""
        names = self.schema.classes if self.schema else ()
        return names if len(names) == count else tuple(map(str, range(count)))


def load_run(path: Path, *, trust: bool = False) -> Run:
    """Read the run in the folder `path`; nothing of it is imported or executed.

    Parameters
    ----------
    trust
        As in `Run`.

    Raises
    ------
    DataError
        If there is no run, or a file of it is missing or broken; it names the file.
    """
    check_plain(path)
    summary = Summary.from_json(_read(path / SUMMARY), where=str(path / SUMMARY))
    lines = _read(path / ROUNDS).splitlines()
    rows = tuple(
        RoundRow.from_json(line, where=f"{path / ROUNDS}, line {number}")
        for number, line in enumerate(lines, start=1)
    )
    synthetic = _read_synthetic(path / SYNTHETIC, summary)
    config, lost = _settings(path / CONFIG, strict=False)
    return Run(
        path=path,
        rows=rows,
        summary=summary,
        config=config,
        synthetic=synthetic,
        schema=_read_schema(path / SCHEMA, synthetic),
        answers=load_evaluation(path / EVALUATION) if (path / EVALUATION).exists() else None,
        likeness=load_columns(path / COLUMNS) if (path / COLUMNS).exists() else None,
        lost=lost,
        trust=trust,
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
        If the file is missing or broken, or holds a key that this version does not know, or has no
        more and cannot follow.
    """
    return _settings(path, strict=True)[0]


def _settings(path: Path, *, strict: bool) -> tuple[Config, dict[str, Scalar]]:
    try:
        stored = flatten(tomllib.loads(_read(path).decode()))
        known, lost = without_removed(stored, strict=strict)
        return from_run_config({**BEFORE, **known}), lost
    except (ValueError, RecursionError, ConfigError) as error:
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
