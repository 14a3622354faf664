"""What a finished run shows on a terminal, and the same as JSON."""

from __future__ import annotations

import json
from typing import Any

from fdd_flower.report.headline import headline_words
from fdd_flower.report.units import human_bytes, human_seconds
from fdd_flower.run_folder.load import Run
from fdd_flower.run_folder.rows import Summary
from fdd_flower.wording import many


def summary_line(summary: Summary) -> str:
    """Return a finished run in one line."""
    rounds = many(summary.rounds, "round")
    return (
        f"{headline_words(summary)} after {rounds} with {summary.num_clients} "
        f"clients; {human_bytes(summary.bytes_up_per_client)} up per client; "
        f"{human_seconds(summary.seconds_total)}"
    )


def run_as_json(run: Run) -> dict[str, Any]:
    """Return the tables of `run` for a program: its folder, its rounds, its summary."""
    return {
        "output": str(run.path),
        "rounds": [json.loads(row.to_json()) for row in run.rows],
        "summary": json.loads(run.summary.to_json()),
    }
