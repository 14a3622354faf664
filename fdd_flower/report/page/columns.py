"""The columns of a table: what they are, and test records beside synthetic rows."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fdd_flower.data.tables.decode import frame_of
from fdd_flower.data.tables.words import allowed, held
from fdd_flower.report.page.elements import Raw, bar, section, table
from fdd_flower.report.page.pictures import drawn
from fdd_flower.report.units import human_number, one_line
from fdd_flower.run_folder.load import Run
from fdd_flower.run_folder.run_dir import COLUMNS_PICTURE, PAIRS_PICTURE

_MOST_ROWS = 200
_HEADS = ("column", "distance", "", "with the same classes", "")
_WHOSE = (
    "Test records are the server's own: nothing here comes from a client but the synthetic rows."
)


def columns(run: Run) -> list[Raw]:
    """Return what the columns of a table are, and how the synthetic rows compare."""
    return [part for part in (_marginals(run), _pairs(run), _schema(run)) if part]


def _marginals(run: Run) -> Raw | None:
    shown = drawn(run, COLUMNS_PICTURE, "Histograms of each column, test records and synthetic")
    found = run.summary.distance_per_column
    if not shown or not found:
        return None
    ordered = sorted(found.items(), key=lambda item: (-_share(item[1], "distance"), item[0]))
    rows = [
        (
            one_line(name, 80),
            human_number(far.get("distance")),
            bar(_share(far, "distance")),
            human_number(far.get("same_classes")),
            bar(_share(far, "same_classes")),
        )
        for name, far in ordered[:_MOST_ROWS]
    ]
    cut = f" The first {_MOST_ROWS} are listed." if len(ordered) > _MOST_ROWS else ""
    return section(
        "Columns: test records beside synthetic rows",
        f"{_WHOSE} The first and last bar of a number also hold what lies beyond.",
        shown,
        "Distance, from 0 to 1: of numbers and dates the largest difference of the shares below "
        "any value (Kolmogorov-Smirnov), of words half the sum of the differences of their shares "
        "(total variation). Two samples of n records are about 1 / \N{SQUARE ROOT}n apart by "
        "chance. With the same classes: after each class of rows is given the share that it has "
        "among the test records; a merge rule such as class-balanced weighs all classes alike."
        f"{cut}",
        table(_HEADS, rows, numbers=(1, 3)),
    )


def _pairs(run: Run) -> Raw | None:
    shown = drawn(run, PAIRS_PICTURE, "Correlations of the columns, test records and synthetic")
    if not shown:
        return None
    return section(
        "Pairs of columns: test records beside synthetic rows",
        "Of two numbers Pearson's correlation (-1 to 1; dates, yes/no and ordered words are "
        "numbers), of a number and a category the correlation ratio, of two categories "
        "Cram\N{LATIN SMALL LETTER E WITH ACUTE}r's V (both 0 to 1; of few records high by "
        "chance). A missing number is left out, a missing word is one more word. Grey: a column "
        "that does not vary.",
        shown,
    )


def _schema(run: Run) -> Raw | None:
    schema = run.schema
    if schema is None or not schema.label:
        return None
    rows = None if run.synthetic is None else frame_of(run.synthetic.set.inputs, schema)
    found = [
        (
            one_line(column.name, 80),
            column.kind,
            one_line(allowed(column), 200),
            one_line(", ".join(("empty", *column.missing)), 80) if column.gaps else "",
            ""
            if rows is None or run.synthetic is None
            else one_line(held(column, rows[column.name], run.synthetic.set.weights.numpy()), 200),
        )
        for column in schema.columns
        if column.features
    ]
    return section(
        "Schema",
        "What every client encodes its records by, and what the synthetic rows hold: mean and "
        "standard deviation, or the commonest words.",
        table(("column", "kind", "values", "stands for missing", "synthetic rows"), found),
    )


def _share(far: Mapping[str, float], name: str) -> float:
    found = far.get(name, math.nan)
    return found if math.isfinite(found) else 0.0
