"""The folder of a bench: every row is on disk before the next one begins."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from fdd_flower.bench.distil.settings import Bench
from fdd_flower.bench.rows import Row, from_json, to_json
from fdd_flower.config import BEFORE, flatten, keys, nested, to_run_config, without_removed
from fdd_flower.errors import ConfigError
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.run_folder.versions import versions

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CONFIG, ROWS, TABLE, MARKDOWN, PLOT = (
    "config.toml",
    "rows.json",
    "table.txt",
    "table.md",
    "accuracy.png",
)
SETS, PICTURES = "sets", "pictures"
COMMON = "common."  # before settings that all methods of a bench have
LISTS = ("bench.distillers", "bench.ipc", "bench.seeds", "bench.models")


@dataclass(frozen=True, slots=True)
class BenchDir:
    """The folder of one bench."""

    path: Path

    @classmethod
    def open(cls, path: Path, bench: Bench) -> BenchDir:
        """Make the folder, or continue in that of a bench of the same settings.

        The lists of a bench may have grown since: more seeds, say, add to its rows.

        Raises
        ------
        ConfigError
            If `path` holds something else, or cannot be written.
        """
        cls.check(path, bench)
        claim_folder(path, settings(bench), folders=(SETS, PICTURES))
        return cls(path)

    @staticmethod
    def check(path: Path, bench: Bench, *, resume: bool = False) -> None:
        """Refuse a folder that this bench may not use; makes nothing.

        Parameters
        ----------
        resume
            Refuse also one that holds no bench yet.

        Raises
        ------
        ConfigError
            If so.
        """
        check_folder(path, settings(bench), lists=LISTS, resume=resume)

    def rows(self) -> list[Row]:
        """Return the rows so far.

        Raises
        ------
        DataError
            If the file is not whole.
        """
        path = self.path / ROWS
        return from_json(path.read_bytes(), Row, where=str(path)) if path.exists() else []

    def write_rows(self, rows: list[Row]) -> None:
        """Replace `rows.json`, whole."""
        write_atomic(self.path / ROWS, to_json(rows))

    def message(self, name: str) -> Path:
        """Return where the encoded set called `name` is kept."""
        return self.path / SETS / f"{name}.npz"

    def tensors(self, name: str) -> Path:
        """Return where the decoded set called `name` is kept."""
        return self.path / SETS / f"{name}.safetensors"

    def picture(self, name: str) -> Path:
        """Return where the picture called `name` goes."""
        return self.path / PICTURES / f"{name}.png"


def check_folder(
    path: Path, wanted: Mapping[str, Any], *, lists: Sequence[str], resume: bool
) -> None:
    """Refuse a folder that a bench of the settings `wanted` may not use; makes nothing.

    Parameters
    ----------
    lists
        The settings that may have grown since; the first tells this kind of bench from others.
        One that ends in a dot stands for all that begin with it, which may be new.
    resume
        Refuse also one that holds no bench yet.

    Raises
    ------
    ConfigError
        If so.
    """
    if path.exists() and not path.is_dir():
        _refuse(path, "a folder", "a file")
    if (path / CONFIG).exists():
        _compare(path, wanted, lists)
    elif resume:
        _refuse(path, "a folder that holds a bench", "none")
    elif path.exists() and any(path.iterdir()):
        _refuse(path, "a new or empty folder, or that of a bench", "one that holds other files")


def claim_folder(path: Path, wanted: Mapping[str, Any], *, folders: Sequence[str]) -> None:
    """Make the folder of a bench, and write its settings there.

    Raises
    ------
    ConfigError
        If it cannot be written.
    """
    try:
        for folder in (path, *(path / name for name in folders)):
            folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path / CONFIG, toml(nested(wanted)).encode())
    except OSError as error:
        _refuse(path, "a folder that can be written", error.strerror or str(error))


def write_results(
    path: Path, rows: Sequence[DataclassInstance], *, plain: str, markdown: str
) -> None:
    """Replace the rows of a bench and both forms of its tables, each whole."""
    write_atomic(path / ROWS, to_json(rows))
    write_atomic(path / TABLE, plain.encode())
    write_atomic(path / MARKDOWN, markdown.encode())


def set_name(distiller: str, ipc: int, seed: int) -> str:
    """Return the name of a set's files; `package.module:Factory` holds a colon."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", distiller).strip("-.") or "custom"
    return f"{plain}-ipc{ipc}-seed{seed}"


def settings(bench: Bench) -> dict[str, Any]:
    """Return every setting of `bench` by name, its own first."""
    own = {
        "bench.distillers": list(bench.distillers),
        "bench.ipc": list(bench.ipcs),
        "bench.seeds": list(bench.seeds),
        "bench.models": list(bench.models),
        "bench.single-class": bench.single_class,
        "bench.holdout": bench.holdout,
        "bench.full-steps": bench.full_steps,
    }
    flat = to_run_config(bench.cfg)
    for name in ("distiller.name", "distiller.ipc", "model.name", "output.dir"):
        flat.pop(name)  # the lists say them
    return flat | own | {f"versions.{k}": v for k, v in versions().items()}


def toml(tables: Mapping[str, Any]) -> str:
    """Return plain values, and tables of them one level deep, as TOML; their names may hold dots.

    JSON's scalars and lists are TOML's too; no package is needed for so little.
    """
    plain = {k: v for k, v in tables.items() if not isinstance(v, Mapping)}
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in plain.items())
    for name, table in tables.items():
        if isinstance(table, Mapping):
            text += f"\n[{name}]\n" + toml(table)
    return text


def _compare(path: Path, wanted: Mapping[str, Any], lists: Sequence[str]) -> None:
    try:
        found: dict[str, Any] = flatten(tomllib.loads((path / CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        _refuse(path, "a folder of a bench", f"a {CONFIG} that cannot be read ({error})")
    if lists[0] not in found:
        _refuse(path, "a folder of a bench", f"a {CONFIG} of something else")
    stored = {name.removeprefix(COMMON): value for name, value in found.items()}
    older, lost = without_removed(stored, strict=False)
    for name, value in lost.items():
        _refuse(path, f"a bench of settings that there are, without {name}", json.dumps(value))
    for name, value in wanted.items():
        # what this version added had no other value than its default before, or that of `BEFORE`
        bare = name.removeprefix(COMMON)
        added = keys().get(bare)
        default = BEFORE.get(bare, added.default if added else None)
        before = found.get(name, older.get(bare, default))
        grown = name in lists and isinstance(before, list) and set(before) <= set(value)
        new = before is None and name.rpartition(".")[0] + "." in lists
        if not (grown or new) and before != value and not name.startswith("versions."):
            _refuse(
                path,
                f"a bench of the same settings, {name} = {json.dumps(value)}",
                f"one of {name} = {json.dumps(before)}",
            )


def _refuse(path: Path, expected: str, got: str) -> NoReturn:
    raise ConfigError(
        f"--out {path}",
        expected=expected,
        got=got,
        remedy="Name another folder with --out; nothing was written.",
    )
