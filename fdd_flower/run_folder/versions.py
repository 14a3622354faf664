"""Which software made a run."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import fdd_flower

PACKAGES = ("flwr", "numpy", "ray", "safetensors", "scikit-learn", "torch", "torchvision")


def versions() -> dict[str, str]:
    """Return version by package, sorted; a package that is not installed is left out.

    Read from the metadata of what is installed, so that nothing is imported.
    """
    # Flower unpacks an app without installing it, so that this package has no metadata there
    found = {"fdd-flower": fdd_flower.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return dict(sorted(found.items()))
