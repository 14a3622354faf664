"""A first schema of a table, from its cells; a person edits it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.data.base import refuse, shown
from fdd_flower.data.tables.cells import NO, YES, gaps_of
from fdd_flower.data.tables.codes import are_codes
from fdd_flower.data.tables.constants import beyond_fence
from fdd_flower.data.tables.files import COMMA
from fdd_flower.data.tables.numbers import Series, days, is_text, numbers, words
from fdd_flower.data.tables.quantities import (
    HOURS,
    are_pairs,
    hours,
    limits,
    quantities,
    unit_of,
    without_unit,
)
from fdd_flower.errors import DataError
from fdd_flower.schema import Column
from fdd_flower.wording import many

if TYPE_CHECKING:
    import pandas as pd

# what people write where there is nothing
MARKERS = ("?", "-", "--", ".", "missing")  # beside those that pandas knows
# numbers that stand for nothing, where they lie far from all others
SENTINELS = (-1, *(sign * int("9" * n) for n in range(1, 10) for sign in (1, -1)))
MOST_LEVELS = 64  # of a category: the others count as "other"
_SPLIT = "Give each of the two numbers a column of its own, or leave"
FEW = 20  # different words are a category, however few the rows


def draft_columns(
    where: str, frame: pd.DataFrame, *, drop: Collection[str] = ()
) -> tuple[Column, ...]:
    """Return a column of the schema for each column of `frame`, without constants.

    Parameters
    ----------
    where
        The file, for an error.
    drop
        Columns to ignore: no feature is made of them.

    Raises
    ------
    DataError
        If a column is free text or an id, which nothing can be learned from, or holds nothing.
    """
    unknown = [name for name in drop if name not in frame.columns]
    if unknown:
        raise refuse(
            f"{where}: --drop",
            expected=f"columns of the table, {shown(map(str, frame.columns))}",
            got=shown(unknown),
            remedy="Name columns as the header does.",
        )
    comma = bool(frame.attrs.get(COMMA))
    found: list[Column] = []
    refused: dict[str, DataError] = {}
    for name in map(str, frame.columns):
        try:
            found.append(
                Column(name=name, kind="ignore")
                if name in drop
                else _column(f"{where}: column {name!r}", name, frame[name], comma)
            )
        except DataError as error:
            refused[name] = error
    if len(refused) > 1:
        raise refuse(
            f"{where}: columns {shown(map(repr, refused))}",
            expected="columns that something can be learned from",
            got="; ".join(f"{name}: {error.got}" for name, error in [*refused.items()][:5]),
            remedy=_drop(*refused),
        )
    for error in refused.values():
        raise error
    return tuple(found)


def _column(
    what: str, name: str, values: Series, comma: bool, more: tuple[str, ...] = ()
) -> Column:
    import pandas as pd

    markers = tuple(sorted({*_markers(values), *more}))
    missing = gaps_of(values, markers)
    held = values[~missing]
    if not len(held):
        return Column(name=name, kind="ignore")
    gaps = bool(missing.any())
    if pd.api.types.is_bool_dtype(held):
        return Column(name=name, kind="yes/no", levels=("False", "True"), gaps=gaps)
    found = None if are_codes(held) else numbers(held, comma=comma)
    clock = hours(held) if found is None else None
    if clock is not None:
        return Column(name=name, kind="number", gaps=gaps, missing=markers, unit=HOURS, decimals=2)
    if found is None and limits(held, comma=comma):
        found = quantities(held, comma=comma)
    if found is None and (unit := unit_of(held)):
        bare = without_unit(held, unit)
        found = numbers(bare, comma=comma)
        if found is None and limits(bare, comma=comma):
            found = quantities(bare, comma=comma)
        if found is not None:
            return replace(_number(name, found, gaps, markers), unit=unit)
    if found is not None and np.isfinite(found).any():
        return _number(name, found[np.isfinite(found)], gaps, markers)
    if found is None and days(what, held) is not None:
        return Column(name=name, kind="date", gaps=gaps, missing=markers)
    text = words(held)
    counts = text.value_counts()
    if found is None and (strange := _among_numbers(counts, comma)):
        if any(char.isdigit() for word in strange for char in word):
            if len(counts) > FEW:
                row = int(np.flatnonzero((words(values) == strange[0]).to_numpy())[0]) + 1
                raise refuse(
                    what,
                    expected="numbers, as in most rows",
                    got=f"{strange[0]!r} in row {row}, counted from 1 below the header",
                    remedy="Write a number there, or nothing. " + _drop(name),
                )
        elif len(strange) <= FEW // 4:
            # "unknown" among numbers is no number that one could compare
            return _column(what, name, values.where(~values.isin(strange)), comma, more=strange)
    if found is None and len(counts) > FEW and (counts == 1).sum() > len(held) / 2:
        raise refuse(
            what,
            expected="numbers, dates, or words of which many rows have the same",
            got=f"{len(counts):,} different ones in {many(len(held), 'row')}, such as "
            f"{str(counts.index[0])[:40]!r}: free text or an id",
            remedy=_drop(name).replace("Leave", _SPLIT, 1) if are_pairs(held) else _drop(name),
        )
    folded = {word.casefold(): word for word in counts.index}
    for no, yes in zip(NO, YES, strict=True):
        if {*folded} == {no, yes}:
            levels = (folded[no], folded[yes])
            return Column(name=name, kind="yes/no", levels=levels, gaps=gaps, missing=markers)
    common = _levels(counts)[:MOST_LEVELS]
    return Column(
        name=name, kind="category", levels=tuple(sorted(common)), gaps=gaps, missing=markers
    )


def _number(name: str, found: np.ndarray, gaps: bool, markers: tuple[str, ...]) -> Column:
    far = {float(x) for x in np.unique(found[beyond_fence(found)])} & {*map(float, SENTINELS)}
    stand_ins = tuple(sorted(f"{x:.0f}" for x in far if (found == x).sum() > 1))
    kept = found[~np.isin(found, [float(x) for x in stand_ins])]
    return Column(
        name=name,
        kind="integer" if (kept == np.round(kept)).all() else "number",
        gaps=gaps or bool(stand_ins),
        missing=(*markers, *stand_ins),
    )


def _among_numbers(counts: Series, comma: bool) -> tuple[str, ...]:
    """Return the words of a column of which most cells, and several words, are numbers."""
    import pandas as pd

    fits = [numbers(pd.Series([word]), comma=comma) is not None for word in counts.index]
    fit = np.array(fits)
    if fit.sum() < 3 or counts[fit].sum() < counts.sum() / 2:
        return ()
    return tuple(sorted(counts.index[~fit]))


def _levels(counts: Series) -> list[str]:
    """Return the words, the most common first; of those that case tells apart the commonest."""
    found: dict[str, int] = {}
    spelt: dict[str, str] = {}
    for word in sorted(counts.index, key=lambda word: (-counts[word], word)):
        plain = spelt.setdefault(word.casefold(), word)
        found[plain] = found.get(plain, 0) + int(counts[word])
    return sorted(found, key=lambda word: (-found[word], word))


def _markers(values: Series) -> tuple[str, ...]:
    """Return what stands for a missing cell, as it is written."""
    if not is_text(values):
        return ()
    text = words(values).dropna()
    return tuple(sorted(text[text.str.casefold().isin(MARKERS)].unique()))


def _drop(*names: str) -> str:
    dropped = " ".join(f'--drop "{name}"' for name in names)
    return (
        f"Leave it out: `fdd schema FILE {dropped}` writes a schema without it for data.schema; or "
        "remove it from the file."
    )
