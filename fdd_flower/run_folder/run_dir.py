"""The folder of a run: where it is, how it is filled, and how a killed run resumes in it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from torch import Tensor

from fdd_flower.config import Config, nested, to_run_config
from fdd_flower.errors import ConfigError, DataError
from fdd_flower.run_folder.checkpoint import Checkpoint, load_checkpoint
from fdd_flower.run_folder.facts.columns_file import columns_bytes
from fdd_flower.run_folder.facts.evaluation_file import evaluation_bytes
from fdd_flower.run_folder.facts.schema_file import schema_bytes
from fdd_flower.run_folder.files import append_line, sweep, sync_folder, write_atomic, write_new
from fdd_flower.run_folder.rows import RoundRow, Summary
from fdd_flower.run_folder.saved_set import SavedSet, Source
from fdd_flower.run_folder.tensor_file import pack
from fdd_flower.schema import Normalisation, Schema
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.metrics import Answers
from fdd_flower.training.metrics.likeness import Likeness

ROUNDS = "rounds.jsonl"
SUMMARY = "summary.json"
CONFIG = "config.toml"
SYNTHETIC = "synthetic.safetensors"
MODEL = "model.safetensors"
SCHEMA = "schema.json"
LEDGER = "ledger"
EVALUATION = "evaluation.json"
COLUMNS = "columns.json"
SYNTHETIC_PICTURE = "synthetic.png"
CURVES_PICTURE = "curves.png"
ANSWERS_PICTURE = "metrics.png"
COLUMNS_PICTURE = "columns.png"
PAIRS_PICTURE = "correlations.png"
REPORT = "report.html"
# of a run that is under way, or was killed; a run that completed leaves neither
CHECKPOINT = "checkpoint.safetensors"
CLIENTS = "clients"
NONCE = "nonce"

_LEFT_BY_A_RUN = (
    ROUNDS,
    SUMMARY,
    CONFIG,
    SYNTHETIC,
    MODEL,
    SCHEMA,
    LEDGER,
    SYNTHETIC_PICTURE,
    CURVES_PICTURE,
    EVALUATION,
    ANSWERS_PICTURE,
    COLUMNS,
    COLUMNS_PICTURE,
    PAIRS_PICTURE,
    REPORT,
    CHECKPOINT,
    CLIENTS,
)
_FREE = "a folder without a run in it"


def resolve(output_dir: str, run_id: str) -> Path:
    """Return where a run leaves its files; makes nothing.

    `output_dir` if it is set, else `$FDD_OUTPUT_DIR`, else `~/.fdd-flower/runs/<run_id>`.

    Raises
    ------
    ConfigError
        If the folder that was set is not absolute.
    """
    for name, text in (
        ("output.dir", output_dir),
        ("$FDD_OUTPUT_DIR", os.environ.get("FDD_OUTPUT_DIR", "")),
    ):
        if not text:
            continue
        # Flower starts the server's process in a folder of its own choice
        if not Path(text).is_absolute():
            raise ConfigError(
                name,
                expected="an absolute path",
                got=repr(text),
                remedy=f"Set {name} to the full path of the folder, or leave it empty.",
            )
        return Path(text)
    return Path.home() / ".fdd-flower" / "runs" / run_id


def check_free(path: Path) -> None:
    """Refuse a folder that a run could not claim; makes nothing.

    Raises
    ------
    ConfigError
        If `path` is a file, cannot be made or written, holds a file that a run would leave, or
        lies inside of a run's folder, which would take what it finds there for its own.
    """
    if path.exists() and not path.is_dir():
        _refuse(path, "a folder", "a file")
    taken = [name for name in _LEFT_BY_A_RUN if (path / name).exists()]
    if taken:
        _refuse(path, _FREE, f"one that holds {', '.join(taken)}")
    around = next((folder for folder in path.parents if (folder / ROUNDS).is_file()), None)
    if around is not None:
        _refuse(path, "a folder outside of every run's", f"one inside of {around}")
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        _refuse(path, "a folder that can be written", f"{nearest}, which cannot")


@dataclass(frozen=True, slots=True)
class RunDir:
    """The folder of one run that is under way; each file is written whole or not at all."""

    path: Path

    @classmethod
    def create(cls, path: Path, config: Config | None = None) -> RunDir:
        """Make the folder and claim it for one run.

        With `config`, a folder that is claimed has its `config.toml`, whatever happens next.

        Raises
        ------
        ConfigError
            As `check_free` does, or if another run takes the folder first.
        """
        try:
            check_free(path)
            path.mkdir(parents=True, exist_ok=True)
            # exclusive, so that of two runs started at once only one gets the folder
            if config is not None:
                write_new(path / CONFIG, settings_text(config).encode())
            (path / ROUNDS).open("x").close()
        except FileExistsError:
            _refuse(path, _FREE, "one that another run just took")
        except OSError as error:
            _refuse(path, "a folder that can be written", error.strerror or str(error))
        return cls(path)

    @classmethod
    def reopen(cls, path: Path) -> RunDir:
        """Return the folder of a run that was begun, to resume it.

        Raises
        ------
        ConfigError
            If it cannot be resumed: its rounds left no checkpoint.
        """
        found = cls(path)
        rounds = path / ROUNDS
        if not (path / CHECKPOINT).exists() and rounds.exists() and rounds.stat().st_size:
            raise ConfigError(
                f"run {path}",
                expected=f"a {CHECKPOINT} beside its {ROUNDS}",
                got="none",
                remedy="A run that ended leaves none, nor did earlier versions: start a new run.",
            )
        rounds.touch()
        return found

    def status(self) -> str | None:
        """Return the status in the run's own summary, "completed" or what went wrong.

        None if there is no readable summary: the run was killed, or ended before it began.
        """
        path = self.path / SUMMARY
        try:
            return Summary.from_json(path.read_bytes(), where=str(path)).status
        except (OSError, DataError):
            return None

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write `checkpoint.safetensors`, in place of the one of the round before."""
        write_atomic(self.path / CHECKPOINT, checkpoint.to_bytes())

    def read_checkpoint(self) -> Checkpoint | None:
        """Return where the run stands; None before it began.

        Raises
        ------
        DataError
            If the file is damaged.
        """
        path = self.path / CHECKPOINT
        return load_checkpoint(path) if path.exists() else None

    def rewind(self, rows: Sequence[RoundRow]) -> None:
        """Leave in `rounds.jsonl` these rows only, and no summary: the run is under way again.

        The checkpoint is what counts; a line that a crash truncated, or that was written for a
        round without a checkpoint, goes. So do files that were not finished.
        """
        for folder in (self.path, self.path / LEDGER):
            sweep(folder)
        (self.path / SUMMARY).unlink(missing_ok=True)
        text = "".join(f"{row.to_json()}\n" for row in rows)
        write_atomic(self.path / ROUNDS, text.encode())

    def welcome_clients(self, nonce: str) -> None:
        """Make a place for the states of clients on this machine, which know it by the nonce."""
        folder = self.path / CLIENTS
        folder.mkdir(exist_ok=True)
        write_atomic(folder / NONCE, nonce.encode())

    def clear(self) -> None:
        """Remove what only a run under way needs."""
        (self.path / CHECKPOINT).unlink(missing_ok=True)
        shutil.rmtree(self.path / CLIENTS, ignore_errors=True)
        sync_folder(self.path)

    def append_round(self, row: RoundRow) -> None:
        """Add a line to `rounds.jsonl`."""
        append_line(self.path / ROUNDS, row.to_json())

    def write_summary(self, summary: Summary) -> None:
        """Write `summary.json`; a folder that has it is a run that ended."""
        write_atomic(self.path / SUMMARY, summary.to_json().encode() + b"\n")

    def write_config(self, config: Config) -> None:
        """Write `config.toml`: every setting as used, defaults too."""
        write_atomic(self.path / CONFIG, settings_text(config).encode())

    def write_schema(self, schema: Schema) -> None:
        """Write `schema.json`: what is needed to bring data to the model, or back from the set."""
        write_atomic(self.path / SCHEMA, schema_bytes(schema))

    def write_evaluation(self, found: Answers) -> None:
        """Write `evaluation.json`: how the model answers, for the pictures of the report."""
        write_atomic(self.path / EVALUATION, evaluation_bytes(found))

    def write_columns(self, found: Likeness) -> None:
        """Write `columns.json`: a table's test records beside its synthetic rows, in sums."""
        write_atomic(self.path / COLUMNS, columns_bytes(found))

    def write_synthetic(
        self,
        set_: SyntheticSet,
        classes: tuple[str, ...],
        normalisation: Normalisation,
        sources: Sequence[Source] = (),
    ) -> None:
        """Write `synthetic.safetensors`: the merged set and what is needed to read it.

        Raises
        ------
        DataError
            If `classes` is not one name a target column.
        """
        saved = SavedSet(
            set=set_, classes=tuple(classes), normalisation=normalisation, sources=tuple(sources)
        )
        write_atomic(self.path / SYNTHETIC, saved.to_bytes())

    def write_model(self, state_dict: Mapping[str, Tensor], *, name: str = "") -> None:
        """Write `model.safetensors`, or `model-<name>.safetensors`."""
        write_atomic(self.path / (model_file(name) if name else MODEL), pack(state_dict))


def model_file(name: str) -> str:
    """Return the file of one of `server.models`, or of all: `*`."""
    # package.module:Factory holds a colon
    plain = re.sub(r"[^A-Za-z0-9._*-]+", "-", name).strip("-.") or "custom"
    return f"model-{plain}.safetensors"


def settings_text(config: Config) -> str:
    """Return `config` in TOML, as a new run would be given it: it resumes none."""
    import tomli_w

    return tomli_w.dumps(nested(to_run_config(replace(config, resume=""))))


def _refuse(path: Path, expected: str, got: str) -> NoReturn:
    raise ConfigError(
        f"output.dir {path}",
        expected=expected,
        got=got,
        remedy="Name another folder in output.dir or with --out; nothing was written.",
    )
