"""From a TOML file and a command line to one checked `Config`."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from fdd_flower.config import (
    Config,
    Scalar,
    find_key,
    flatten,
    from_run_config,
    without_removed,
)
from fdd_flower.errors import ConfigError

_WINDOWS_PATH = re.compile(r"""^[^#'\n]*=\s*"(?:[A-Za-z]:|\\)\\[^\\]""", re.MULTILINE)
_SINGLE = r"Write it in single quotes, 'C:\data\a.csv', or with /."


def gather(
    *,
    config_file: Path | None = None,
    assignments: Iterable[str] = (),
    rounds: int | None = None,
    out: Path | None = None,
) -> Config:
    """Return the settings of a run; see `given`.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a key or value is not allowed.
    """
    found = given(config_file=config_file, assignments=assignments, rounds=rounds, out=out)
    return from_run_config(found)


def given(
    *,
    config_file: Path | None = None,
    assignments: Iterable[str] = (),
    rounds: int | None = None,
    out: Path | None = None,
) -> dict[str, Scalar]:
    """Return the settings that a user gave; what stands later in the list of parameters wins.

    Parameters
    ----------
    config_file
        TOML, nested (`[data]`, `name = ...`) or flat (`"data.name" = ...`).
    assignments
        `KEY=VALUE`, as typed after `--set`.
    rounds
        Stands for `num-server-rounds`.
    out
        Stands for `output.dir`; made absolute.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a key or value is not allowed.
    """
    values: dict[str, Scalar] = {}
    if config_file is not None:
        values |= read_file(config_file)
    for assignment in assignments:
        name, value = parse_assignment(assignment)
        values[name] = value
    if rounds is not None:
        values["num-server-rounds"] = find_key("num-server-rounds").check(rounds)
    if out is not None:
        values["output.dir"] = absolute(out)
    for key in ("data.path", "data.schema", "runtime.clients-file"):
        if path := values.get(key):
            local = Path(str(path)).expanduser().exists()
            if key == "data.path" and values.get("data.name") == "hub" and not local:
                continue  # a name on the hub
            # Flower's processes run in a folder of their own
            values[key] = absolute(str(path))
    return values


def read_file(path: Path) -> dict[str, Scalar]:
    """Return the settings in the TOML file `path`, by run config key.

    Raises
    ------
    ConfigError
        If there is no such file, or it is not TOML, or a key or value is not allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if _WINDOWS_PATH.search(text):
            # some of its escapes are those of TOML, and C:\\temp would hold a tab
            raise _unreadable(path, "a path in double quotes, where \\ is an escape", _SINGLE)
        tables = tomllib.loads(text)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except ValueError as error:  # broken TOML and broken UTF-8 alike
        raise _unreadable(path, str(error)) from error
    try:
        known, _ = without_removed(flatten(tables))  # it may be the config.toml of an old run
        return {name: find_key(name).check(value) for name, value in known.items()}
    except ConfigError as error:
        raise ConfigError(
            f"{path}, {error.what}",
            expected=error.expected,
            got=error.got,
            remedy=error.remedy,
        ) from error


def parse_assignment(text: str) -> tuple[str, Scalar]:
    """Return the key and the value of `KEY=VALUE`.

    >>> parse_assignment("distiller.ipc=5")
    ('distiller.ipc', 5)

    Raises
    ------
    ConfigError
        If there is no `=`, or the key or the value is not allowed.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(
            f"--set {text}",
            expected="KEY=VALUE",
            got="no =",
            remedy="Write, for example, --set distiller.ipc=5.",
        )
    key = find_key(name.strip())
    return key.name, key.parse(value)


def absolute(path: str | Path) -> str:
    """Return `path` from the root, with `~` and `..` resolved but no link followed."""
    return os.path.abspath(Path(path).expanduser())


def _unreadable(path: Path, got: str, remedy: str = "") -> ConfigError:
    return ConfigError(
        f"--config {path}",
        expected="a readable TOML file",
        got=got,
        remedy=remedy or "Name a file such as the config.toml that a run leaves.",
    )
