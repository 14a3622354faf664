"""What a bench tells people: tables with a name each, aligned for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

Table = Sequence[Sequence[str]]  # its first line holds the heads


def plain_page(
    head: Iterable[str],
    tables: Iterable[tuple[str, Table]],
    failures: Collection[str] = (),
    *,
    left: Collection[str] = (),
) -> str:
    """Return lines that say how to read the tables, the tables, and what failed.

    Parameters
    ----------
    left
        Heads of the columns that are aligned left: names and words.
    """
    text = "\n".join(head) + "\n"
    for name, table in tables:
        text += f"\n{name}\n{aligned(table, left=left)}\n"
    return text + _listed(failures, "\n")


def markdown_page(
    head: Iterable[str],
    tables: Iterable[tuple[str, Table]],
    failures: Collection[str] = (),
    *,
    left: Collection[str] = (),
) -> str:
    """Return the same as Markdown."""
    text = "\n".join(f"- {line}" for line in head) + "\n"
    for name, table in tables:
        text += f"\n### {name}\n\n{piped(table, left=left)}\n"
    return text + _listed(failures, "\n- ")


def aligned(table: Table, *, left: Collection[str] = ()) -> str:
    """Return `table` in columns, a rule below its heads."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if head in left else cell.rjust(width)
            for cell, width, head in zip(cells, widths, table[0], strict=True)
        ).rstrip()
        for cells in table
    ]
    return "\n".join((lines[0], "-" * (sum(widths) + 2 * len(widths) - 2), *lines[1:]))


def piped(table: Table, *, left: Collection[str] = ()) -> str:
    """Return `table` in Markdown."""
    rule = [":--" if head in left else "--:" for head in table[0]]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (table[0], rule, *table[1:]))


def _listed(lines: Collection[str], start: str) -> str:
    return "".join(start + line for line in lines) + ("\n" if lines else "")
