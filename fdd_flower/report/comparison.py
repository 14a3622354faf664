"""Several runs compared: results, costs and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from fdd_flower.config import Scalar, to_run_config
from fdd_flower.errors import DataError
from fdd_flower.report.chart import (
    COLOURS,
    MARKS,
    MOST_MARKS,
    cost_axis,
    legend_below,
    panels,
    save,
    tidy,
)
from fdd_flower.report.headline import (
    NAMES,
    SHARES,
    common_headline,
    headline_of,
    human_metric,
    value_of,
)
from fdd_flower.report.units import (
    human_bytes,
    human_number,
    human_seconds,
    one_line,
)
from fdd_flower.run_folder.load import Run

_NOT_COMPARED = ("resume", "output.")  # where a run lies says nothing of what it does
_WIDEST = 40  # letters of a value


def short_names(runs: Sequence[Run]) -> list[str]:
    """Return the shortest ends of the runs' paths that tell them apart.

    Raises
    ------
    DataError
        If two runs are the same folder.
    """
    paths = [run.path.resolve() for run in runs]
    if len(set(paths)) < len(paths):
        raise DataError(
            "RUN",
            expected="each run once",
            got=", ".join(str(run.path) for run in runs),
            remedy="Name different runs.",
        )
    deepest = max(len(path.parts) for path in paths)
    for length in range(1, deepest):
        names = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def differing_settings(runs: Sequence[Run]) -> dict[str, list[Scalar]]:
    """Return by key the values, in the order of `runs`, of each setting that is not the same."""
    values = [to_run_config(run.config) for run in runs]
    found = {
        key: [each[key] for each in values]
        for key in values[0]
        if not key.startswith(_NOT_COMPARED)
    }
    return {key: each for key, each in found.items() if len(set(each)) > 1}


def comparison_as_json(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return for each run its measures and the settings in which the runs differ."""
    different = differing_settings(runs)
    return [
        {
            "run": str(run.path),
            **_measures(run),
            "settings": {key: values[place] for key, values in different.items()},
        }
        for place, run in enumerate(runs)
    ]


def _measures(run: Run) -> dict[str, Any]:
    summary, last = run.summary, run.rows[-1] if run.rows else None
    return {
        "status": summary.status,
        "accuracy": summary.accuracy if summary.accuracy == summary.accuracy else None,
        "metric": headline_of(summary),
        "metrics": {name: v if v == v else None for name, v in summary.metrics.items()},
        "rounds": summary.rounds,
        "clients": summary.num_clients,
        "bytes_up_per_client": summary.bytes_up_per_client,
        "bytes_up_total": summary.bytes_up_total,
        "bytes_down_total": summary.bytes_down_total,
        "seconds_total": summary.seconds_total,
        "epsilon": last.epsilon if last else None,
    }


def comparison_table(runs: Sequence[Run]) -> Table:
    """Return a table with a column a run, and a line a measure or setting that differs."""
    table = Table(title=f"{len(runs)} runs", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", style="bold")
    for name in short_names(runs):
        table.add_column(Text(one_line(name, _WIDEST)), justify="right", overflow="fold")
    for name, cells in _lines(runs):
        # Text, because a setting may hold what rich would read as markup
        table.add_row(name, *(Text(one_line(cell, _WIDEST)) for cell in cells))
    different = differing_settings(runs)
    if different:
        table.add_section()
    for key, values in different.items():
        table.add_row(key, *(Text(one_line(_shown(value), _WIDEST)) for value in values))
    return table


def _lines(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    summaries = [run.summary for run in runs]
    shown = dict.fromkeys((*(headline_of(one) for one in summaries), "accuracy"))
    lines = [
        *(
            (NAMES[name], [human_metric(name, value_of(one, name)) for one in summaries])
            for name in shown
        ),
        ("rounds", [str(one.rounds) for one in summaries]),
        ("clients", [str(one.num_clients) for one in summaries]),
        ("up per client", [human_bytes(one.bytes_up_per_client) for one in summaries]),
        ("up, all clients", [human_bytes(one.bytes_up_total) for one in summaries]),
        ("down, all clients", [human_bytes(one.bytes_down_total) for one in summaries]),
        ("time", [human_seconds(one.seconds_total) for one in summaries]),
    ]
    epsilons = [run.rows[-1].epsilon if run.rows else None for run in runs]
    if any(epsilon is not None for epsilon in epsilons):
        lines.append(("epsilon", [human_number(epsilon) for epsilon in epsilons]))
    if not all(one.completed for one in summaries):
        lines.insert(0, ("status", [one.status for one in summaries]))
    return lines


def _shown(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'


def draw_comparison(runs: Sequence[Run], path: Path) -> None:
    """Draw the metric that the runs show first over rounds and against bytes into the PNG `path`.

    Accuracy, where they do not show the same one; the bytes are those that a client sends.

    Raises
    ------
    DataError
        If no run finished a round.
    """
    curves = {name: run for name, run in zip(short_names(runs), runs, strict=True) if run.rows}
    if not curves:
        raise DataError(
            "RUN",
            expected="a run that finished a round",
            got="none",
            remedy="Leave --out away: there is nothing to draw.",
        )
    metric = common_headline(run.summary for run in curves.values())
    percent = 100 if metric in SHARES else 1
    figure, (over_rounds, against_bytes) = panels(2, sharey=True)
    for place, (name, run) in enumerate(curves.items()):
        rounds = [row.round for row in run.rows]
        values = [percent * value_of(row, metric) for row in run.rows]
        clients = max(1, run.summary.num_clients)
        up = [total / clients for total in accumulate(row.bytes_up for row in run.rows)]
        look: Mapping[str, Any] = {
            "label": one_line(name, _WIDEST).replace("$", r"\$"),  # no formula
            "color": COLOURS[place % len(COLOURS)],
            "marker": MARKS[place % len(MARKS)],
            "markersize": 4,
            "markevery": -(-len(rounds) // MOST_MARKS),
            "linewidth": 1.6,
        }
        over_rounds.plot(rounds, values, **look)
        against_bytes.plot(up, values, **look)
    _finish(over_rounds, against_bytes)
    unit = " (%)" if metric in SHARES else ""
    over_rounds.set_ylabel(f"{NAMES[metric]} on the test split{unit}", fontsize=9)
    legend_below(figure, [over_rounds])
    save(figure, path)


def _finish(over_rounds: Any, against_bytes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    over_rounds.set_xlabel("round", fontsize=8)
    over_rounds.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    over_rounds.tick_params(labelsize=8)
    cost_axis(against_bytes, "bytes sent per client, all rounds so far", human_bytes)
    for axes in (over_rounds, against_bytes):
        tidy(axes)
