"""Seconds and peak memory of each distiller over records and IPC, each in a process of its own.

python benchmarks/distiller_speed.py --distillers dm,kmeans --records 1000,10000,60000 \
    --ipc 1,10,50 --out benchmarks/results/distiller-speed

Writes NAME.json, NAME.md and NAME.png. The data is --data with its training split cut to as
many records; what a data set does not hold is left out. A run that fails is a row with a reason.
Rows that NAME.json has already, by the same settings, versions and machine, are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from fdd_flower.bench.distil.sets import spawn
from fdd_flower.bench.job import job_for
from fdd_flower.config import Config, from_run_config, to_run_config, without_removed
from fdd_flower.data import load_dataset
from fdd_flower.errors import DistillError, FddError
from fdd_flower.launch.settings import parse_assignment
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.run_folder.versions import versions

Row = dict[str, Any]


def main() -> int:
    """Measure what the command line asks for; 1 if a run failed, 2 if the input was wrong."""
    asked = _arguments()
    try:
        cfg = _settings(asked)
        held = len(load_dataset(cfg.data, seed=cfg.seed).train)
    except FddError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    rows = _kept(asked.out, cfg)
    done = {(row["distiller"], row["records"], row["ipc"]) for row in rows}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    for records in (count for count in asked.records if count <= held):
        for ipc in asked.ipc:
            for name in asked.distillers:
                if (name, records, ipc) in done:
                    continue
                row = _measure(cfg, name, ipc, records)
                print(_line(row), flush=True)
                rows = sorted([*rows, row], key=lambda row: (row["records"], row["ipc"]))
                _write(asked.out, rows, cfg)
    return 1 if any(row["error"] for row in rows) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--distillers", type=_names, default="random,herding,kmeans,dm")
    parser.add_argument("--records", type=_numbers, default="1000,10000,60000")
    parser.add_argument("--ipc", type=_numbers, default="1,10,50")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, required=True, help="path of the files, no ending")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    return text.split(",")


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _settings(asked: argparse.Namespace) -> Config:
    flat = to_run_config(Config()) | {"data.name": asked.data}
    flat |= {"runtime.client-threads": asked.threads}
    flat |= dict(parse_assignment(text) for text in asked.set)
    return from_run_config(flat)


def _measure(cfg: Config, name: str, ipc: int, records: int) -> Row:
    row: Row = {
        "distiller": name,
        "records": records,
        "ipc": ipc,
        "seconds": None,
        "peak_mb": None,
        "base_mb": None,
        "bytes": None,
        "error": "",
    }
    part = replace(cfg, distiller=replace(cfg.distiller, name=name, ipc=ipc))
    with tempfile.TemporaryDirectory() as folder:
        job = job_for(
            part,
            seed=0,
            single_class=False,
            holdout=False,
            limit=records,
            out=str(Path(folder) / "set.npz"),
        )
        try:
            made = spawn(job)
        except DistillError as error:
            return row | {"error": " ".join(str(error).split())}
    return row | {
        "seconds": made.seconds,
        "peak_mb": made.peak_mb,
        "base_mb": made.base_mb,
        "bytes": made.bytes,
    }


def _line(row: Row) -> str:
    if row["error"]:
        result = f"failed: {row['error']}"
    else:
        result = f"{row['seconds']:.2f} s, {row['peak_mb']:.0f} MB at most"
    return f"{row['distiller']}, {row['records']} records, ipc {row['ipc']}: {result}"


def _kept(out: Path, cfg: Config) -> list[Row]:
    """Return the rows, but for failed ones, that an earlier run left and that fit beside new."""
    path = out.with_name(out.name + ".json")
    if not path.exists():
        return []
    found = json.loads(path.read_text())
    stored, lost = without_removed(found["settings"], strict=False)
    found["settings"] = to_run_config(Config()) | stored
    if lost or any(found[key] != value for key, value in _facts(cfg).items()):
        return []
    return [row for row in found["rows"] if not row["error"]]


def _facts(cfg: Config) -> dict[str, Any]:
    return {
        "data": cfg.data.name,
        "threads": cfg.runtime.client_threads,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
        "settings": to_run_config(cfg),
    }


def _write(out: Path, rows: list[Row], cfg: Config) -> None:
    facts = {"command": " ".join(sys.argv)} | _facts(cfg) | {"rows": rows}
    write_atomic(out.with_name(out.name + ".json"), (json.dumps(facts, indent=1) + "\n").encode())
    write_atomic(out.with_name(out.name + ".md"), _markdown(facts).encode())
    _draw(rows, out.with_name(out.name + ".png"))


def _markdown(facts: dict[str, Any]) -> str:
    lines = [
        f"Seconds of a distillation and peak memory of its process: {facts['data']}, "
        f"{facts['threads']} threads, {facts['machine']}.",
        "",
        f"`{facts['command']}`",
        "",
        "| distiller | records | ipc | bytes | seconds | peak MB | MB before it began |",
        "|:--|--:|--:|--:|--:|--:|--:|",
    ]
    for row in facts["rows"]:
        start = f"| {row['distiller']} | {row['records']} | {row['ipc']} | "
        if row["error"]:
            lines.append(f"{start}| failed: {row['error']} | | |")
        else:
            cost = f"{row['bytes']} | {row['seconds']:.2f} | {row['peak_mb']:.0f}"
            lines.append(f"{start}{cost} | {row['base_mb']:.0f} |")
    return "\n".join(lines) + "\n"


def _draw(rows: list[Row], path: Path) -> None:
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    good = [row | {"added_mb": row["peak_mb"] - row["base_mb"]} for row in rows if not row["error"]]
    if not good:
        return
    names, ipcs = (sorted({row[key] for row in good}) for key in ("distiller", "ipc"))
    figure, panels = plt.subplots(
        2,
        len(ipcs),
        figsize=(2 + 3.6 * len(ipcs), 7),
        layout="constrained",
        squeeze=False,
        sharex=True,
        sharey="row",
    )
    for ipc, column in zip(ipcs, panels.T, strict=True):
        column[0].set_title(f"ipc {ipc}")
        column[1].set_xlabel("training records")
        for axes, key in zip(column, ("seconds", "added_mb"), strict=True):
            for i, name in enumerate(names):
                line = [r for r in good if r["distiller"] == name and r["ipc"] == ipc]
                axes.plot(
                    [row["records"] for row in line],
                    [max(row[key], 0.01) for row in line],
                    color=f"C{i}",
                    marker="os^Dvp*Xd"[i % 9],
                    markersize=4,
                    linewidth=1.4,
                    label=name,
                )
            axes.set_xscale("log")
            axes.set_yscale("log")
            for axis, subs in ((axes.xaxis, (1,)), (axes.yaxis, (1, 2, 5))):
                axis.set_major_locator(LogLocator(subs=subs))
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axis.set_minor_formatter(NullFormatter())
            axes.grid(color="0.9", which="both", linewidth=0.6)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
    panels[0, 0].set_ylabel("seconds of the distillation")
    panels[1, 0].set_ylabel("peak memory above what\nthe process held before (MB)")
    handles, labels = panels[0, -1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=9, frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
