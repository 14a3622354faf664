"""Which values of `privacy.mode` this version follows."""

from __future__ import annotations

from fdd_flower.config import PrivacyConfig
from fdd_flower.errors import ConfigError

FOLLOWED = ("none", "dp-moments", "dp-dm", "dp-gm", "dp-sketch")


def check_mode(privacy: PrivacyConfig) -> None:
    """Refuse a mode that client and server would not both follow to the letter.

    Raises
    ------
    ConfigError
        If it is such a mode.
    """
    if privacy.mode not in FOLLOWED:
        raise ConfigError(
            "privacy.mode",
            expected=f"one of {', '.join(FOLLOWED)}",
            got=repr(privacy.mode),
            remedy="This version has the settings of that mode, and not yet its releases.",
        )
