"""Accuracy over epsilon of a private mode, for several cuts of the records among clients.

    python benchmarks/privacy.py --data fashion-mnist --runs runs/privacy \\
        --out benchmarks/results/privacy

Each run is a folder CUT-EPSILON-SEED under `--runs`; those that are complete are read and not made
again. Accuracy is on the test split. Writes NAME.json, NAME-table.md and, with the published
figures on Fashion-MNIST beside it, NAME.png.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import fdd_flower as fdd
from fdd_flower.config import Scalar
from fdd_flower.errors import FddError
from fdd_flower.report.chart import paper, save, tidy
from fdd_flower.run_folder.files import write_atomic

ALONE = {"partition_name": "iid", "strategy_min_nodes": 1, "strategy_quorum": 1}
CLASS = {"partition_name": "classes", "partition_classes_per_client": 1}
SHARED = {"sketch_secure_sum": True, "strategy_quorum": 10}
CUTS: Mapping[str, tuple[str, int, Mapping[str, Scalar]]] = {
    "one": ("one client", 1, ALONE),
    "class-secure": ("ten clients of one class each, secure sum", 10, CLASS | SHARED),
    "class-own": ("ten clients of one class each, own noise", 10, CLASS),
    "dirichlet-own": ("ten clients, Dirichlet 0.3, own noise", 10, {"partition_name": "dirichlet"}),
    "iid-secure": ("ten alike clients, secure sum", 10, {"partition_name": "iid"} | SHARED),
    "iid-own": ("ten alike clients, own noise", 10, {"partition_name": "iid"}),
}
# Fashion-MNIST, delta 1e-5, all records in one place, from the papers and their code
PUBLISHED = {
    "DP-MERF": {1: 62.2, 10: 62.2},
    "DP-NTK": {1: 64.4, 10: 76.3},
    "DP-Kernel": {1: 68.4, 10: 70.0},
    "PSG": {1: 70.2, 10: 77.7},
    "DPDM (GPU)": {1: 76.4, 10: 85.6},
    "DP-FETA (pretrained, GPU)": {1: 81.7, 10: 87.3},
}


def main() -> None:
    """Make the runs that are missing, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="fashion-mnist", help="a name, or a path")
    parser.add_argument("--mode", default="dp-moments")
    parser.add_argument("--model", default="quadratic")
    parser.add_argument("--epsilons", default="10,1,0.2")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--cuts", default=",".join(CUTS))
    parser.add_argument("--runs", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    asked = parser.parse_args()
    rows = []
    for seed in asked.seeds.split(","):
        for epsilon in asked.epsilons.split(","):
            for cut in asked.cuts.split(","):
                rows.append(_row(asked, cut, epsilon, seed))
                print(json.dumps(rows[-1]), flush=True)
    write_atomic(asked.out.with_suffix(".json"), json.dumps(rows, indent=1).encode())
    table = asked.out.with_name(f"{asked.out.name}-table.md")
    write_atomic(table, _table(rows).encode())
    _draw(rows, asked.out.with_suffix(".png"), asked.data)


def _row(asked: argparse.Namespace, cut: str, epsilon: str, seed: str) -> dict[str, object]:
    folder = asked.runs / f"{cut}-{epsilon}-{seed}"
    try:
        run = fdd.load_run(folder)
    except FddError:
        _, clients, settings = CUTS[cut]
        run = fdd.run(
            clients=clients,
            rounds=1,
            data=asked.data,
            out=folder,
            progress=False,
            seed=int(seed),
            privacy_mode=asked.mode,
            privacy_epsilon=float(epsilon),
            model_name=asked.model,
            **settings,
        )
    found = run.summary
    return {
        "cut": cut,
        "epsilon": float(epsilon),
        "seed": int(seed),
        "accuracy": found.accuracy,
        "bytes_up_per_client": found.bytes_up_per_client,
        "seconds": found.seconds_total,
        "claimed": found.privacy["epsilon"],
    }


def _found(rows: list[dict[str, object]]) -> dict[str, dict[float, list[float]]]:
    found: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[str(row["cut"])][float(str(row["epsilon"]))].append(100 * float(str(row["accuracy"])))
    return found


def _table(rows: list[dict[str, object]]) -> str:
    found = _found(rows)
    epsilons = sorted({e for each in found.values() for e in each}, reverse=True)
    lines = [
        "| | " + " | ".join(f"epsilon {e:g}" for e in epsilons) + " | kB up a client |",
        "|---" * (len(epsilons) + 2) + "|",
    ]
    for cut, each in found.items():
        sent = [float(str(r["bytes_up_per_client"])) for r in rows if r["cut"] == cut]
        cells = [_cell(each[e]) if e in each else "" for e in epsilons]
        lines.append(f"| {CUTS[cut][0]} | {' | '.join(cells)} | {max(sent) / 1e3:.0f} |")
    return "\n".join(lines) + "\n"


def _cell(values: list[float]) -> str:
    mean = f"{statistics.mean(values):.1f}"
    return f"{mean} ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else mean


def _draw(rows: list[dict[str, object]], path: Path, data: str) -> None:
    figure = paper((8, 5))
    axes = figure.add_subplot()
    # lines lie on each other where a cut costs nothing: larger marks behind smaller ones
    for place, (cut, each) in enumerate(_found(rows).items()):
        epsilons = sorted(each)
        means = [statistics.mean(each[e]) for e in epsilons]
        size = 11 - 1.5 * place
        axes.plot(epsilons, means, marker="o^sDvP"[place % 6], ms=size, label=CUTS[cut][0])
    if data == "fashion-mnist":
        for name, each in PUBLISHED.items():
            axes.plot(list(each), list(each.values()), ":", marker="x", color="grey", lw=1)
            axes.annotate(name, (10, each[10]), xytext=(5, -3), textcoords="offset points", size=7)
    axes.set_xscale("log")
    axes.set_xlabel("epsilon (delta 1e-5); less is more private")
    axes.set_ylabel("test accuracy, %")
    axes.margins(x=0.35)
    tidy(axes)
    axes.legend(loc="lower left", fontsize=7, frameon=False)
    save(figure, path)


if __name__ == "__main__":
    main()
