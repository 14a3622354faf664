"""Flower's flat run config <-> `Config`, and the same as the tables of a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from fdd_flower.config._config import Config
from fdd_flower.config._keys import find_key, keys, sections
from fdd_flower.config._setting import Scalar


def from_run_config(run_config: Mapping[str, Scalar]) -> Config:
    """Build a `Config` from Flower's flat run config; absent keys keep their defaults.

    Raises
    ------
    ConfigError
        If a key is unknown, or its value has the wrong type or range.
    """
    chosen: dict[str, dict[str, Scalar]] = {}
    for name, value in run_config.items():
        key = find_key(name)
        chosen.setdefault(key.section, {})[key.attribute] = key.check(value)
    parts = {name: kind(**chosen.get(name, {})) for name, kind in sections().items()}
    return Config(**cast("dict[str, Any]", chosen.get("", {})), **parts)


def to_run_config(config: Config) -> dict[str, Scalar]:
    """Return `config` as Flower's flat run config, every key present."""
    return {
        name: getattr(getattr(config, key.section) if key.section else config, key.attribute)
        for name, key in keys().items()
    }


def nested(flat: Mapping[str, Scalar]) -> dict[str, Any]:
    """Return a flat run config as TOML tables: `{"data.name": x}` -> `{"data": {"name": x}}`."""
    tables: dict[str, Any] = {}
    for name, value in flat.items():
        section, _, leaf = name.rpartition(".")
        (tables.setdefault(section, {}) if section else tables)[leaf] = value
    return tables


def flatten(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Scalar]:
    """Return TOML tables as a flat run config; the inverse of `nested`."""
    flat: dict[str, Scalar] = {}
    for name, value in tables.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
