"""Keyword arguments to settings: `distiller_steps=50` is the key `distiller.steps`."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from fdd_flower.config import REMOVED, Scalar, find_key, keys
from fdd_flower.errors import ConfigError


def run_config(settings: Mapping[str, Any], *, only: Collection[str] = ()) -> dict[str, Scalar]:
    """Return keyword arguments as a flat run config.

    Parameters
    ----------
    settings
        Keys of the run config with underscores for dots and dashes; or as they are.
    only
        Sections that the caller makes use of; empty: all.

    Raises
    ------
    ConfigError
        If a name is unknown or of no use here, or a value is not allowed.
    """
    found = {}
    for name, value in settings.items():
        key = find_key(_key_name(name))
        if only and key.section not in only:
            raise ConfigError(
                name,
                expected=f"a setting of {', '.join(only)}",
                got=key.name,
                remedy="Leave it out: it changes nothing here.",
            )
        found[key.name] = key.check(_plain(value))
    return found


def _key_name(name: str) -> str:
    if name in keys():
        return name
    known = _python_names(keys())
    if name in known:
        return known[name]
    if name in (gone := _python_names(REMOVED)):
        return gone[name]  # `find_key` says what replaces it
    near = [key for key in known if key in (f"distiller_{name}", f"training_{name}")]
    near += difflib.get_close_matches(name, known, n=3)
    raise ConfigError(
        f"{name}=",
        expected="an argument, or a setting such as distiller_steps for distiller.steps",
        got="an unknown name" + (f"; near it: {', '.join(dict.fromkeys(near))}" if near else ""),
        remedy="`fdd settings --all` lists every setting.",
    )


def _python_names(names: Iterable[str]) -> dict[str, str]:
    return {name.replace(".", "_").replace("-", "_"): name for name in names}


def _plain(value: Any) -> Any:
    """Return numbers of NumPy and paths as Python's numbers and text."""
    if isinstance(value, Path):
        return str(value.expanduser().absolute())
    return value.item() if hasattr(value, "item") else value
