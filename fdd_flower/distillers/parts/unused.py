"""Refusing settings that would have no effect, by name, before any work."""

from __future__ import annotations

from fdd_flower.config import DistillerConfig, find_key
from fdd_flower.distillers.base import declares, ignored_by
from fdd_flower.errors import ConfigError
from fdd_flower.schema import is_image


def check_unused(cfg: DistillerConfig, feature_shape: tuple[int, ...]) -> None:
    """Check that no setting is changed which the distiller, or the records, have no use for.

    Raises
    ------
    ConfigError
        If one is.
    """
    for name in ignored_by(cfg.name):
        key = find_key(f"distiller.{name.replace('_', '-')}")
        value = getattr(cfg, name)
        if value != key.default:
            default = _shown(key.default)
            raise ConfigError(
                key.name,
                expected=f"{default} with {cfg.name}, which does not use it",
                got=_shown(value),
                remedy=f"Leave it at {default}, or choose another distiller.",
            )
    if cfg.augment and not is_image(feature_shape):
        raise ConfigError(
            "distiller.augment",
            expected="false for records that are not images",
            got=f"true for records of shape {feature_shape}",
            remedy="Leave it false for tables and series.",
        )
    if cfg.fill != "trade" and not cfg.bytes:
        raise ConfigError(
            "distiller.fill",
            expected="trade without distiller.bytes",
            got=cfg.fill,
            remedy="Set distiller.bytes, which it says how to fill.",
        )
    if cfg.peers and not cfg.inner_steps and declares(cfg.name, "trains"):
        raise ConfigError(
            "distiller.inner-steps",
            expected=f"at least 1 for {cfg.name} with distiller.peers",
            got=0,
            remedy="Raise it, or set distiller.peers to false: without training between "
            "matches peers change nothing.",
        )


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
