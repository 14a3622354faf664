"""A run from somebody else: its files are data, which name no code and no place elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from fdd_flower.config import Config, to_run_config
from fdd_flower.errors import ConfigError, DataError


def check_plain(folder: Path) -> None:
    """Refuse the folder of a run that holds links, or what is neither file nor folder.

    A link would have what is elsewhere read, passed on in an export, or written to.

    Raises
    ------
    DataError
        If it holds one; it names the first.
    """
    for entry in _entries(folder):
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            raise DataError(
                entry.path,
                expected="a file or a folder of a run",
                got="a link" if entry.is_symlink() else "something else",
                remedy="Remove it, or copy what it leads to into the run's folder, if you trust "
                "where the run comes from.",
            )


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:  # what needs the folder says what is wrong with it
        return
    for entry in entries:
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(Path(entry.path))


def outside_names(config: Config) -> dict[str, str]:
    """Return the settings that name a component of another package, `package.module:Factory`."""
    return {
        key: str(value)
        for key, value in to_run_config(config).items()
        if (key.endswith(".name") or key in ("server.models", "server.teacher"))
        and ":" in str(value)
    }


def require_trust(names: Mapping[str, str], path: Path, *, trust: bool) -> None:
    """Refuse to import what the files of a run name, unless the user said that they may.

    Parameters
    ----------
    names
        Names of components by setting; those of this package pass.

    Raises
    ------
    ConfigError
        If one is of another package, and the run is not trusted.
    """
    for key, name in names.items():
        if ":" in name and not trust:
            raise ConfigError(
                f"run {path}, {key}",
                expected="a component of fdd-flower, or a run that you trust",
                got=repr(name[:200]),
                remedy="To use it imports that package, which runs its code. If you trust the run: "
                "--trust, trust=True in Python, or on resuming --set with the same value.",
            )
