"""The rounds and the summary of a run as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from fdd_flower.report.headline import (
    NAMES,
    first_metrics,
    headline_of,
    human_metric,
    threshold_words,
    value_of,
)
from fdd_flower.report.units import (
    human_bytes,
    human_counts,
    human_number,
    human_seconds,
    human_share,
    one_line,
)
from fdd_flower.run_folder.rows import RoundRow, Summary
from fdd_flower.wording import many

_CAPTION = 800  # letters: ten lines of a terminal


def rounds_table(rows: Sequence[RoundRow], metric: str = "accuracy") -> Table:
    """Return a table with one line per round, narrow enough for 80 columns.

    Privacy spent has a column only where there is a guarantee; why replies were rejected is
    below, by round.

    Parameters
    ----------
    metric
        The one to show, by its name in the rows.
    """
    private = any(row.epsilon is not None for row in rows)
    table = Table(title="Rounds", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    names = [
        "round",
        NAMES[metric],
        "loss",
        "replies",
        "rejected",
        "up",
        "down",
        "client max",
        "train",
    ]
    for name in names + ["epsilon"] * private:
        table.add_column(name, justify="right")
    for row in rows:
        cells = [
            str(row.round),
            human_metric(metric, value_of(row, metric)),
            human_number(row.loss),
            str(row.replies),
            str(row.rejected),
            human_bytes(row.bytes_up),
            human_bytes(row.bytes_down),
            human_seconds(row.seconds_distill_max),
            human_seconds(row.seconds_train),
        ]
        table.add_row(*cells, *[human_number(row.epsilon)] * private)
    # Under the table: most runs have none, and a column would not fit into 80.
    refused = [
        f"round {row.round}: {human_counts(row.rejected_codes)}"
        for row in rows
        if row.rejected_codes
    ]
    if refused:
        table.caption = Text(one_line(f"rejected in {'; '.join(refused)}", _CAPTION))
        table.caption_justify = "left"
    return table


def summary_table(summary: Summary) -> Table:
    """Return a table with one line per fact, the status first."""
    table = Table(title="Run", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in summary_facts(summary):
        # Text, because a reason or a name may hold what rich would read as markup
        table.add_row(name, Text(value))
    return table


def summary_facts(summary: Summary) -> list[tuple[str, str]]:
    """Return what a reader wants to know first, as pairs of name and value."""
    worst = [share for share in summary.accuracy_per_class if share == share]
    method = [summary.distiller, summary.merger, summary.codec]
    parts = " → ".join(name for name in method if name)
    facts = [
        ("status", summary.status),
        *first_metrics(summary),
        *_of_others(summary),
        ("always the largest class", _majority(summary)),
        *(
            (f"threshold of {name}", threshold_words(found))
            for name, found in summary.thresholds.items()
        ),
        *((f"no threshold of {name}", why) for name, why in summary.no_threshold.items()),
        ("worst class", human_share(min(worst)) if worst else human_share(float("nan"))),
        ("strategy", summary.strategy),
        ("distiller → merger → codec", parts),
        ("model", summary.model),
        ("data", f"{summary.data}, {summary.partition}, {many(summary.num_clients, 'client')}"),
        ("rounds", str(summary.rounds)),
        ("records per class and client", str(summary.ipc) if summary.distiller else ""),
        (
            "up-link",
            f"{human_bytes(summary.bytes_up_total)}, "
            f"{human_bytes(summary.bytes_up_per_client)} per client over all rounds",
        ),
        ("down-link", human_bytes(summary.bytes_down_total)),
        ("time", human_seconds(summary.seconds_total)),
        ("seed", str(summary.seed)),
        ("versions", ", ".join(f"{name} {version}" for name, version in summary.versions.items())),
    ]
    return [(name, one_line(value, 500)) for name, value in facts if value]


def _of_others(summary: Summary) -> list[tuple[str, str]]:
    """Return how other models do by what is shown first, or by accuracy in an older run."""
    first = headline_of(summary)
    found = []
    for name, share in summary.accuracy_by_model.items():
        measured = {"accuracy": share, **summary.metrics_by_model.get(name, {})}
        metric = first if first in measured else "accuracy"
        found.append((f"{NAMES[metric]} of {name}", human_metric(metric, measured[metric])))
    return found


def _majority(summary: Summary) -> str:
    share = summary.metrics.get("majority")
    return "" if share is None else f"{human_share(share)} accuracy"
