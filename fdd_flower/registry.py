"""Components by name: one file each, found by its file name and imported on demand."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from fdd_flower.errors import ConfigError

T = TypeVar("T")


class Registry(Generic[T]):
    """Components of one kind, keyed by the name that the run config uses.

    A built-in lives in the file of its name (`class-balanced` in `class_balanced.py`).
    Files of `together` hold several, which they register when imported.
    A name may also be `package.module:Factory`, or an entry point in the group
    `fdd_flower.<kind>`, so an outside package adds its own without a fork.
    """

    def __init__(
        self,
        kind: str,
        package: str,
        *,
        helpers: tuple[str, ...] = (),
        together: tuple[str, ...] = (),
    ) -> None:
        self.kind, self.package, self._together = kind, package, together
        # files of the package that are no components
        self._helpers = {"base", *helpers, *together}
        self._known: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files its argument under `name`."""

        def keep(component: T) -> T:
            self._known[name] = component
            return component

        return keep

    def built_in(self) -> list[str]:
        """Return the names of the components that ship with this package, sorted."""
        path = importlib.import_module(self.package).__path__
        files = (module.name for module in pkgutil.iter_modules(path) if not module.ispkg)
        alone = (f.replace("_", "-") for f in files if f not in self._helpers and f[0] != "_")
        return sorted({*alone, *self._registered_together()})

    def names(self) -> list[str]:
        """Return every name that can be chosen: built in and from entry points."""
        outside = entry_points(group=f"fdd_flower.{self.kind}")
        return sorted({*self.built_in(), *self._known, *(point.name for point in outside)})

    def get(self, name: str) -> T:
        """Return the component called `name`.

        Raises
        ------
        ConfigError
            If the name is unknown, or names a module or attribute that does not import.
        """
        self._registered_together()
        if name not in self._known and name in self.built_in():
            importlib.import_module(f"{self.package}.{name.replace('-', '_')}")
        if name in self._known:
            return self._known[name]
        for point in entry_points(group=f"fdd_flower.{self.kind}", name=name):
            return self._outside(point.value)
        if ":" in name:
            return self._outside(name)
        raise ConfigError(
            f"{self.kind}.name",
            expected=f"one of {', '.join(self.names())}, or package.module:Factory",
            got=repr(name),
            remedy=f"Set {self.kind}.name to a name from this list.",
        )

    def _registered_together(self) -> list[str]:
        """Return the names that the files of `together` register."""
        modules = [importlib.import_module(f"{self.package}.{file}") for file in self._together]
        return [name for module in modules for name in module.NAMES]

    def _outside(self, target: str) -> T:
        module, _, attribute = target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        # A relative module name is a TypeError, an empty one a ValueError.
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise ConfigError(
                f"{self.kind}.name",
                expected="package.module:Factory that can be imported",
                got=f"{target!r} ({error})",
                remedy="Install that package on the server and on every client.",
            ) from error
