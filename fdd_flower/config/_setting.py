"""How a setting is declared: its default, what it means, and the values allowed."""

from __future__ import annotations

from dataclasses import field
from typing import Any

Scalar = bool | int | float | str


def setting(
    default: Scalar,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    first: bool = False,
) -> Any:
    """Declare a setting: its default, what it means, and the values allowed (ends included).

    Parameters
    ----------
    first
        One of the few that `fdd settings` shows without `--all`.
    """
    meta = {"doc": doc, "low": low, "high": high, "choices": choices, "first": first}
    return field(default=default, metadata=meta)
