"""A setting by the name it has in Flower's run config, and the check of a value for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from types import MappingProxyType
from typing import Any, cast, get_type_hints

from fdd_flower.config._config import Config
from fdd_flower.config._removed import refuse_removed
from fdd_flower.config._setting import Scalar
from fdd_flower.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Key:
    """One run config key: where it lives and what it allows."""

    name: str
    section: str
    attribute: str
    kind: type[Scalar]
    default: Scalar
    doc: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    first: bool

    def check(self, value: object) -> Scalar:
        """Return `value` in this key's type.

        Raises
        ------
        ConfigError
            If the type or the range is wrong.
        """
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not self.kind:
            self._refuse(f"{value!r} ({type(value).__name__})")
        assert isinstance(value, bool | int | float | str)
        if self.choices and value not in self.choices:
            self._refuse(repr(value))
        if self.low is not None and not self.low <= float(value):
            self._refuse(value)
        if self.high is not None and not float(value) <= self.high:
            self._refuse(value)
        return value

    def parse(self, text: str) -> Scalar:
        """Return the value that `text`, as typed on a command line, stands for."""
        if self.kind is str:
            return self.check(text.strip("'\""))
        word = text.strip().lower()
        if self.kind is bool:
            return self.check({"true": True, "false": False}.get(word, text))
        try:
            return self.check(self.kind(word))
        except ValueError:
            return self.check(text)

    @property
    def allowed(self) -> str:
        """What this key accepts, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        word = {bool: "true or false", int: "an integer", float: "a number", str: "text"}[self.kind]
        return f"{word} from {self.span}" if self.span else word

    @property
    def span(self) -> str:
        """The least and the largest number that this key accepts; empty if it is no number."""
        if self.low is None or self.high is None:
            return ""
        low, high = (f"{end:,g}" if end < 1e6 else f"{end:,.0f}" for end in (self.low, self.high))
        return f"{low} to {high}"

    def _refuse(self, got: object) -> None:
        shown = f"'{self.default}'" if self.kind is str else str(self.default).lower()
        raise ConfigError(
            self.name,
            expected=self.allowed,
            got=got,
            remedy=f"Set it in the run config; the default is {shown}.",
        )


def _scalar_keys(section: str, kind: type) -> Iterator[Key]:
    hints = get_type_hints(kind)
    for item in cast("tuple[Field[Any], ...]", fields(kind)):
        if item.default is MISSING or not item.metadata:
            continue
        meta = item.metadata
        kebab = item.name.replace("_", "-")
        yield Key(
            name=f"{section}.{kebab}" if section else kebab,
            section=section,
            attribute=item.name,
            kind=hints[item.name],
            default=item.default,
            doc=meta["doc"],
            low=meta["low"],
            high=meta["high"],
            choices=meta["choices"],
            first=meta["first"],
        )


@cache
def sections() -> Mapping[str, type]:
    """Return the parts of a config by name, in order: `strategy`, `local`, ..."""
    hints = get_type_hints(Config)
    return MappingProxyType({f.name: hints[f.name] for f in fields(Config) if f.default is MISSING})


@cache
def keys() -> Mapping[str, Key]:
    """Return every run config key by its name, in declaration order."""
    found = list(_scalar_keys("", Config))
    for section, kind in sections().items():
        found += _scalar_keys(section, kind)
    return MappingProxyType({key.name: key for key in found})


def find_key(name: str) -> Key:
    """Return the key called `name`.

    Raises
    ------
    ConfigError
        If there is none, with the nearest names, or with what replaces one of an older version.
    """
    import difflib

    known = keys()
    if name in known:
        return known[name]
    refuse_removed(name)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    raise ConfigError(
        f"run config key {name!r}",
        expected="a declared key" + (f", such as {', '.join(near)}" if near else ""),
        got="an unknown one",
        remedy="`fdd settings` lists them all.",
    )
