"""The folder of a run: where it is, and how it is filled without overwriting anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from torch import Tensor

from fdd_flower.config import Config, nested, to_run_config
from fdd_flower.data.base import Normalisation
from fdd_flower.errors import ConfigError
from fdd_flower.report.files import append_line, write_atomic
from fdd_flower.report.rows import RoundRow, Summary
from fdd_flower.report.saved_set import SavedSet
from fdd_flower.report.tensor_file import pack
from fdd_flower.synthetic_set import SyntheticSet

ROUNDS = "rounds.jsonl"
SUMMARY = "summary.json"
CONFIG = "config.toml"
SYNTHETIC = "synthetic.safetensors"
MODEL = "model.safetensors"
LEDGER = "ledger"
SYNTHETIC_PICTURE = "synthetic.png"
CURVES_PICTURE = "curves.png"
REPORT = "report.html"

_LEFT_BY_A_RUN = (
    ROUNDS, SUMMARY, CONFIG, SYNTHETIC, MODEL, LEDGER, SYNTHETIC_PICTURE, CURVES_PICTURE, REPORT
)  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class RunDir:
    """The folder of one run that is under way; each file is written whole or not at all."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> RunDir:
        """Make the folder and claim it for one run.

        Raises
        ------
        ConfigError
            If `path` is a file, cannot be written, or holds a file that a run would leave.
        """
        try:
            if path.exists() and not path.is_dir():
                _refuse(path, "a folder", "a file")
            taken = [name for name in _LEFT_BY_A_RUN if (path / name).exists()]
            if taken:
                _refuse(path, _FREE, f"one that holds {', '.join(taken)}")
            path.mkdir(parents=True, exist_ok=True)
            # exclusive, so that of two runs started at once only one gets the folder
            (path / ROUNDS).open("x").close()
        except FileExistsError:
            _refuse(path, _FREE, "one that another run just took")
        except OSError as error:
            _refuse(path, "a folder that can be written", error.strerror or str(error))
        return cls(path)

    def append_round(self, row: RoundRow) -> None:
        """Add a line to `rounds.jsonl`."""
        append_line(self.path / ROUNDS, row.to_json())

    def write_summary(self, summary: Summary) -> None:
        """Write `summary.json`; a folder that has it is a run that ended."""
        write_atomic(self.path / SUMMARY, summary.to_json().encode() + b"\n")

    def write_config(self, config: Config) -> None:
        """Write `config.toml`: every setting as used, defaults too."""
        import tomli_w

        write_atomic(self.path / CONFIG, tomli_w.dumps(nested(to_run_config(config))).encode())

    def write_synthetic(
        self, set_: SyntheticSet, classes: tuple[str, ...], normalisation: Normalisation
    ) -> None:
        """Write `synthetic.safetensors`: the merged set and what is needed to read it.

        Raises
        ------
        DataError
            If `classes` is not one name a target column.
        """
        saved = SavedSet(set=set_, classes=tuple(classes), normalisation=normalisation)
        write_atomic(self.path / SYNTHETIC, saved.to_bytes())

    def write_model(self, state_dict: Mapping[str, Tensor]) -> None:
        """Write `model.safetensors`."""
        write_atomic(self.path / MODEL, pack(state_dict))


def _refuse(path: Path, expected: str, got: str) -> NoReturn:
    raise ConfigError(
        f"output.dir {path}",
        expected=expected,
        got=got,
        remedy="Name another folder in output.dir; nothing was written.",
    )
