"""Counts of things, in words that a person would use."""

from __future__ import annotations

IRREGULAR = {
    "class": "classes",
    "reply": "replies",
    "batch": "batches",
    "category": "categories",
    "yes/no": "yes/no",
}


def many(count: float, what: str) -> str:
    """Return a count and what it counts, one or more of it; `what` is one, its last word a noun.

    >>> many(1, "record"), many(2870, "record"), many(2, "more class"), many(0.5, "sample")
    ('1 record', '2,870 records', '2 more classes', '0.5 samples')
    """
    number = f"{count:g}" if isinstance(count, float) else f"{count:,}"
    return f"{number} {what if count == 1 else plural(what)}"


def plural(what: str) -> str:
    """Return what more than one of it are called.

    >>> plural("training record"), plural("class")
    ('training records', 'classes')
    """
    first, blank, noun = what.rpartition(" ")
    return f"{first}{blank}{IRREGULAR.get(noun, f'{noun}s')}"
