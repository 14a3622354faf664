"""Lists on a command line: values with commas between, each named once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from fdd_flower.errors import ConfigError

T = TypeVar("T", str, int)

EXAMPLES = {"--distillers": "dm,kmeans", "--models": "cnn,ridge"}  # of lists; others are numbers


def parse_list(option: str, text: str, kind: Callable[[str], T]) -> tuple[T, ...]:
    """Return the values in `text`, separated by commas.

    >>> parse_list("--ipc", "1,10", int)
    (1, 10)

    Raises
    ------
    ConfigError
        If a value is not of `kind`, or there is an empty one.
    """
    found = []
    for word in text.split(","):
        try:
            if not word.strip():
                raise ValueError
            found.append(kind(word.strip()))
        except ValueError:
            what = "integers" if kind is int else "names"
            raise ConfigError(
                option,
                expected=f"{what} separated by commas",
                got=repr(text),
                remedy=f"Write, for example, {option} {EXAMPLES.get(option, '1,10')}.",
            ) from None
    return tuple(found)


def check_list(option: str, values: Sequence[object]) -> None:
    """Refuse an empty list, and one that names a value twice.

    Raises
    ------
    ConfigError
        If so.
    """
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if not values or twice:
        raise ConfigError(
            option,
            expected="at least one value, each once",
            got=f"{', '.join(twice)} twice" if twice else "none",
            remedy="Name each once, separated by commas.",
        )
