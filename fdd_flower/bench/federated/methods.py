"""What is compared, by name: a strategy, a distiller, or settings from a file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdd_flower.config import Scalar, find_key, flatten
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.errors import ConfigError
from fdd_flower.methods.base import STRATEGIES

SHARED, OPTIONS = "all", "bench"  # tables of a file that are no methods
TEXTS = ("data", "splits", "seeds")  # of the table `bench`
BESIDE = "beside"  # in a method's table: no setting


@dataclass(frozen=True, slots=True)
class Method:
    """What is measured.

    Attributes
    ----------
    name, settings
        The settings make it; those that it leaves open are as the bench or the default has them.
    beside
        Names of the methods that it is compared with, seed by seed.
    """

    name: str
    settings: Mapping[str, Scalar]
    beside: tuple[str, ...] = ()


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


def read_methods(path: Path, given: Mapping[str, Scalar] | None = None) -> dict[str, Method]:
    """Return the methods in a TOML file: a table each, of settings by their names.

    The table `all` is no method: every method has its settings, below its own. Neither is `bench`;
    see `read_options`. In a method's table `beside = "a,b"` names others of the file.

    Parameters
    ----------
    given
        Settings of the command line. They override `all`; a method's own override them.

    Raises
    ------
    ConfigError
        If it cannot be read, holds something else, or a key or value is not allowed.
    """
    tables = {name: _table(path, name, found) for name, found in _read(path).items()}
    tables.pop(OPTIONS, None)
    beside = {name: _beside(path, name, table) for name, table in tables.items()}
    checked = {name: _checked(path, name, table) for name, table in tables.items()}
    shared = checked.pop(SHARED, {})
    if not checked:
        raise _broken(path, "a table of settings for each method", "none")
    for name, others in beside.items():
        for other in others:
            if other not in checked or other == name or name == SHARED:
                raise _broken(path, f"another method of the file beside {name}", repr(other))
    shared |= given or {}
    return {name: Method(name, {**shared, **own}, beside[name]) for name, own in checked.items()}


def read_options(path: Path) -> dict[str, str]:
    """Return what the table `bench` of a file says of data, splits, seeds and clients.

    Raises
    ------
    ConfigError
        If the file cannot be read, or the table holds something else.
    """
    table = _table(path, OPTIONS, _read(path).get(OPTIONS, {}))
    for name, value in table.items():
        kind = int if name == "clients" else str
        if name not in (*TEXTS, "clients") or type(value) is not kind or value == 0:
            raise _broken(
                path,
                "data, splits, seeds and clients in the table bench, as the options have them",
                f"{name} = {value!r}",
            )
    return {name: str(value) for name, value in table.items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        got = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise _broken(path, "a readable TOML file", got) from error


def _table(path: Path, name: str, found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise _broken(path, "a table of settings for each method", f"{name} = {found!r}")
    return dict(found)


def _beside(path: Path, name: str, table: dict[str, Any]) -> tuple[str, ...]:
    """Take the names of others out of a method's table."""
    text = table.pop(BESIDE, "")
    if not isinstance(text, str):
        raise _broken(path, f"names of methods in {BESIDE}", f"{BESIDE} = {text!r} of {name}")
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _checked(path: Path, name: str, table: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the settings of a table by name."""
    if "," in name:  # --methods could not name it
        raise _broken(path, "names of methods without a comma", repr(name))
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
