"""Rows of several `fdd bench federated` in one table and one picture.

    python benchmarks/join.py ONE/rows.json TWO/rows.json --out benchmarks/results/federated/budgets

Writes NAME.json, NAME.md, NAME.png (accuracy against bytes) and NAME-time.png; with the --config of
the benches also their gains, and NAME-gain.png. A run of which there are two rows is refused: which
of them counts is not for a script to say.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from fdd_flower.bench.federated.gain import gains
from fdd_flower.bench.federated.gain_plot import draw_gains
from fdd_flower.bench.federated.methods import read_methods
from fdd_flower.bench.federated.plot import BYTES, SECONDS, draw
from fdd_flower.bench.federated.rows import Row
from fdd_flower.bench.federated.table import markdown
from fdd_flower.run_folder.files import write_atomic


def main() -> None:
    """Join the files that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--title", default="")
    parser.add_argument("--config", type=Path, help="methods, and what stands beside them")
    asked = parser.parse_args()
    methods = {} if asked.config is None else read_methods(asked.config)
    pairs = [(name, other) for name, method in methods.items() for other in method.beside]
    rows = joined(asked.rows)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(row) for row in rows], indent=1)
    write_atomic(named(asked.out, ".json"), (text + "\n").encode())
    write_atomic(named(asked.out, ".md"), markdown([], rows, pairs).lstrip().encode())
    draw(rows, asked.title, named(asked.out, ".png"), against=BYTES)
    draw(rows, asked.title, named(asked.out, "-time.png"), against=SECONDS)
    draw_gains(gains(rows, pairs), asked.title, named(asked.out, "-gain.png"))


def named(out: Path, ending: str) -> Path:
    """Return `out` with an ending; dots in its name, as in `dirichlet-0.5`, stay."""
    return out.with_name(out.name + ending)


def joined(files: Sequence[Path]) -> list[Row]:
    """Return the rows of all files, splits and methods in the order in which they come first.

    Raises
    ------
    SystemExit
        If a file has no such rows, or a run has two.
    """
    rows = [row for file in files for row in read(file)]
    twice = [key for key, times in Counter(row.key for row in rows).items() if times > 1]
    if twice:
        raise SystemExit(f"two rows of {', '.join(map(str, twice))}: leave one of them out")
    return rows


def read(file: Path) -> list[Row]:
    """Return the rows of one file.

    Raises
    ------
    SystemExit
        If it has none.
    """
    try:
        found = json.loads(file.read_text())
        if not isinstance(found, list):
            raise TypeError(f"a {type(found).__name__}")
        return [Row(**row) for row in found]
    except (OSError, ValueError, TypeError) as error:
        raise SystemExit(f"{file}: expected rows of fdd bench federated; got {error}") from None


if __name__ == "__main__":
    main()
