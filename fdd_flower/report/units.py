"""Numbers for people: bytes in decimal units, shares, seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping

_UNITS = ("B", "kB", "MB", "GB", "TB")


def byte_unit(largest: float) -> tuple[float, str]:
    """Return the decimal unit that suits `largest` bytes: its size in bytes, and its name."""
    step = 0
    while step < len(_UNITS) - 1 and largest >= 999.5 * 1000**step:
        step += 1
    return float(1000**step), _UNITS[step]


def human_bytes(count: float) -> str:
    """Return `count` bytes to three digits.

    >>> human_bytes(512), human_bytes(78_400), human_bytes(1_234_567)
    ('512 B', '78.4 kB', '1.23 MB')
    """
    size, unit = byte_unit(count)
    scaled = count / size
    if unit == "B":
        return f"{scaled:.0f} B"
    digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{scaled:.{digits}f} {unit}"


def human_share(share: float) -> str:
    """Return a share from 0 to 1 in percent; a dash where nothing was measured."""
    return f"{share:.1%}" if math.isfinite(share) else "–"  # noqa: RUF001


def human_number(value: float | None, digits: int = 3) -> str:
    """Return `value` with `digits` decimals; a dash for None and what is not finite."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"  # noqa: RUF001


def human_seconds(seconds: float) -> str:
    """Return a duration to a tenth of a second, from a minute on in minutes and seconds.

    >>> human_seconds(3.21), human_seconds(125.0)
    ('3.2 s', '2 min 5 s')
    """
    if not math.isfinite(seconds):
        return "–"  # noqa: RUF001
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def human_counts(counts: Mapping[str, int]) -> str:
    """Return counts by name, the largest first.

    >>> human_counts({"dtype": 1, "range": 3})
    'range 3, dtype 1'
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in ordered)


def one_line(text: str, width: int) -> str:
    """Return `text` fit to be drawn or printed: one line, at most `width`, valid Unicode.

    Names and reasons may come from a client, and a lone surrogate, say, breaks a writer.
    """
    words = " ".join(text[: 10 * width].encode("utf-8", "replace").decode().split())
    clean = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in words
    )
    return clean if len(clean) <= width else clean[: width - 1] + "\N{HORIZONTAL ELLIPSIS}"
