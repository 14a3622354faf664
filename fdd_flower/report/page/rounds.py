"""What each round did."""

from __future__ import annotations

from fdd_flower.report.headline import NAMES, headline_of, human_metric, shown_first, value_of
from fdd_flower.report.page.elements import Raw, section, table
from fdd_flower.report.units import (
    human_bytes,
    human_counts,
    human_number,
    human_seconds,
    one_line,
)
from fdd_flower.run_folder.load import Run
from fdd_flower.run_folder.rows import RoundRow


def rounds(run: Run) -> Raw:
    """Return a line a round."""
    if not run.rows:
        return section("Rounds", "No round finished.")
    metrics = shown_first(headline_of(run.summary))
    heads = (
        "round",
        *(NAMES[name] for name in metrics),
        "loss",
        "replies",
        "rejected",
        "up-link",
        "down-link",
        "slowest client",
        "training",
        "epsilon",
    )
    rows = [
        (
            row.round,
            *(human_metric(name, value_of(row, name)) for name in metrics),
            human_number(row.loss),
            row.replies,
            _rejected(row),
            human_bytes(row.bytes_up),
            human_bytes(row.bytes_down),
            human_seconds(row.seconds_distill_max),
            human_seconds(row.seconds_train),
            human_number(row.epsilon),
        )
        for row in run.rows
    ]
    return section("Rounds", table(heads, rows, numbers=range(len(heads))))


def _rejected(row: RoundRow) -> str:
    codes = one_line(human_counts(row.rejected_codes), 300)
    return f"{row.rejected} ({codes})" if codes else str(row.rejected)
