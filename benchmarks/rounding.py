"""How far runs drift apart that differ in the rounding of sums alone, as those of two devices do.

python benchmarks/rounding.py --seeds 5 --out benchmarks/results/rounding

Each seed runs the default job twice on the CPU: as it is, and with torch's other convolutions
(oneDNN off), which add up in another order. Draws are the same, as they are on a GPU.
Writes NAME.json and NAME.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from fdd_flower.run_folder.files import write_atomic
from fdd_flower.run_folder.load import load_run
from fdd_flower.run_folder.versions import versions

RUN = "from fdd_flower.cli import main; main()"
OTHER = "import torch; torch.backends.mkldnn.enabled = False; " + RUN


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    rows = [_row(seed, asked.set) for seed in range(asked.seeds)]
    facts = {"settings": asked.set, "versions": versions(), "rows": rows}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    name = asked.out.name
    write_atomic(asked.out.with_name(f"{name}.json"), (json.dumps(facts, indent=1) + "\n").encode())
    text = _markdown(rows, asked.set)
    write_atomic(asked.out.with_name(f"{name}.md"), text.encode())
    print(text)


def _row(seed: int, settings: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        plain, other = (
            _run(code, seed, settings, Path(folder) / name)
            for name, code in (("plain", RUN), ("other", OTHER))
        )
        assert plain.synthetic is not None
        assert other.synthetic is not None
        apart = (plain.synthetic.set.inputs - other.synthetic.set.inputs).abs()
        return {
            "seed": seed,
            "accuracy": plain.summary.accuracy,
            "accuracy_other": other.summary.accuracy,
            "rows_apart_mean": float(apart.mean()),
            "rows_apart_max": float(apart.max()),
        }


def _run(code: str, seed: int, settings: list[str], out: Path) -> Any:
    words = [f"seed={seed}", "runtime.device=cpu", *settings]
    given = [word for setting in words for word in ("--set", setting)]
    command = [sys.executable, "-c", code, "run", "--in-process", "--out", str(out), *given]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return load_run(out)


def _markdown(rows: list[dict[str, Any]], settings: list[str]) -> str:
    lines = [
        "| seed | accuracy | with other convolutions | rows apart, mean | most |",
        "|---|---|---|---|---|",
        *(
            f"| {row['seed']} | {row['accuracy']:.4f} | {row['accuracy_other']:.4f} "
            f"| {row['rows_apart_mean']:.2g} | {row['rows_apart_max']:.2g} |"
            for row in rows
        ),
    ]
    most = max(abs(row["accuracy"] - row["accuracy_other"]) for row in rows)
    job = f"The default job{' with ' + ', '.join(settings) if settings else ''}"
    return "\n".join(
        [
            "# What rounding alone changes",
            "",
            f"{job}, run twice per seed on a CPU: as it is, and with torch's other convolutions",
            "(oneDNN off). Both draw the same numbers and add them up in another order. Rows are",
            "in standard deviations of the data. Accuracies of a seed are at most",
            f"{most:.4f} apart.",
            "",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    main()
