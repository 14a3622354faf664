"""What is compared, by name: a strategy, a distiller, or settings from a file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fdd_flower.config import Scalar, find_key, flatten
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.errors import ConfigError
from fdd_flower.methods.base import STRATEGIES

SHARED = "all"  # the table of a file that is no method


@dataclass(frozen=True, slots=True)
class Method:
    """A name, and the settings that make it."""

    name: str
    settings: Mapping[str, Scalar]


def named_methods(names: Sequence[str], file: Mapping[str, Method]) -> tuple[Method, ...]:
    """Return the methods called `names`.

    A name is one of `file`; else a strategy with its defaults; else a distiller, which stands for
    `fdd` with it.

    Raises
    ------
    ConfigError
        If a name is none of these.
    """
    return tuple(file[name] if name in file else _built_in(name) for name in names)


def _built_in(name: str) -> Method:
    if name in STRATEGIES.names():
        return Method(name, {"strategy.name": name})
    if name in DISTILLERS.names():
        return Method(name, {"strategy.name": "fdd", "distiller.name": name})
    raise ConfigError(
        "--methods",
        expected=f"strategies ({', '.join(STRATEGIES.names())}), distillers "
        f"({', '.join(DISTILLERS.names())}), or tables of --config",
        got=repr(name),
        remedy="Choose from these in --methods, or describe it in --config FILE.",
    )


def read_methods(path: Path) -> dict[str, Method]:
    """Return the methods in a TOML file: a table each, of settings by their names.

    The table `all` is no method: every method has its settings, below its own.

    Raises
    ------
    ConfigError
        If it cannot be read, holds something else, or a key or value is not allowed.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        got = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise _broken(path, "a readable TOML file", got) from error
    checked = {name: _checked(path, name, table) for name, table in tables.items()}
    shared = checked.pop(SHARED, {})
    if not checked:
        raise _broken(path, "a table of settings for each method", "none")
    return {name: Method(name, {**shared, **own}) for name, own in checked.items()}


def _checked(path: Path, name: str, table: object) -> dict[str, Scalar]:
    """Return the settings of a table by name."""
    if "," in name:  # --methods could not name it
        raise _broken(path, "names of methods without a comma", repr(name))
    if not isinstance(table, dict):
        raise _broken(path, "a table of settings for each method", f"{name} = {table!r}")
    try:
        return {key: find_key(key).check(value) for key, value in flatten(table).items()}
    except ConfigError as error:
        raise ConfigError(
            f"{path}, method {name}: {error.what}",
            expected=error.expected,
            got=error.got,
            remedy=error.remedy,
        ) from error


def _broken(path: Path, expected: str, got: str) -> ConfigError:
    return ConfigError(
        f"--config {path}",
        expected=expected,
        got=got,
        remedy="Write, for example, [mine] and under it distiller.bytes = 8000.",
    )
