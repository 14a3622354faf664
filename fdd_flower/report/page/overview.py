"""What a run was and how it ended: its title, its first numbers, all facts and settings."""

from __future__ import annotations

from fdd_flower.config import keys, to_run_config
from fdd_flower.report.headline import first_metrics
from fdd_flower.report.page.elements import Raw, cell, section, table
from fdd_flower.report.table import summary_facts
from fdd_flower.report.units import human_bytes, human_seconds, one_line
from fdd_flower.run_folder.load import Run
from fdd_flower.wording import many


def head(run: Run) -> Raw:
    """Return title and status."""
    summary = run.summary
    what = " + ".join(name for name in (summary.strategy, summary.distiller) if name)
    title = f"{what} on {summary.data}, {many(summary.num_clients, 'client')}"
    tone = "good" if summary.completed else "bad"
    return Raw(
        f"<header><h1>{cell(title)}</h1>\n"
        f'<div class="status {tone}">{cell(one_line(summary.status, 500))}</div></header>'
    )


def tiles(run: Run) -> Raw:
    """Return what a reader wants to know first."""
    summary = run.summary
    tiles = (
        *((value, name) for name, value in first_metrics(summary)),
        (human_bytes(summary.bytes_up_per_client), "up-link per client, all rounds"),
        (human_bytes(summary.bytes_down_total), "down-link, total"),
        (str(summary.rounds), "rounds"),
        (human_seconds(summary.seconds_total), "total time"),
    )
    inside = "".join(
        f'<div class="tile"><b>{cell(value)}</b><span>{cell(name)}</span></div>'
        for value, name in tiles
    )
    return Raw(f'<div class="tiles">{inside}</div>')


def notes(run: Run) -> Raw | None:
    """Return what the run said before its first round."""
    items = "".join(f"<li>{cell(one_line(note, 500))}</li>" for note in run.summary.notes)
    return section("Said before the first round", Raw(f"<ul>{items}</ul>")) if items else None


def facts(run: Run) -> Raw:
    """Return all that the summary says."""
    return section("The run", table((), summary_facts(run.summary)))


def settings(run: Run) -> Raw:
    """Return every setting, and what it means."""
    known = keys()
    rows = [
        (Raw(f"<code>{cell(name)}</code>"), Raw(f"<code>{cell(value)}</code>"), known[name].doc)
        for name, value in to_run_config(run.config).items()
    ]
    rows += [
        (
            Raw(f"<code>{cell(name)}</code>"),
            Raw(f"<code>{cell(value)}</code>"),
            "of an older version",
        )
        for name, value in run.lost.items()
    ]
    return section("Settings", table(("key", "value", "meaning"), rows))
