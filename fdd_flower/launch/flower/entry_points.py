"""The two entry files of the Flower app, wherever this package is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import fdd_flower
from fdd_flower.errors import LaunchError

ENTRY_FILES = ("client_app.py", "server_app.py")
ENTRY_FOLDER = Path(fdd_flower.__file__).resolve().parent.parent


def entry_file(name: str) -> Path:
    """Return the entry file `name` of this very copy of the package.

    It lies beside the package in a checkout, an editable install and a wheel alike. Asking
    the import system for `client_app` would find any Flower project's in the working folder.

    Raises
    ------
    LaunchError
        If it is not there.
    """
    path = ENTRY_FOLDER / name
    if not path.is_file():
        raise LaunchError(
            name,
            expected=f"the file beside the package, {path}",
            got="none",
            remedy="Install fdd-flower again.",
        )
    return path


def load_entry(name: str) -> ModuleType:
    """Return the entry file `name` as a module, imported under a name of its own."""
    path = entry_file(name)
    spec = importlib.util.spec_from_file_location(f"_fdd_flower_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
