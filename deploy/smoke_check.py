"""Check what a deployment says and leaves, without fdd-flower's own code.

Usage: python deploy/smoke_check.py nodes NODES.json COUNT
       python deploy/smoke_check.py run FOLDER RUNS.json

NODES.json and RUNS.json are what `flwr supernode list` and `flwr list` print with `--format json`.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

CLIENTS = {"clinic-a", "clinic-b"}
ROUNDS = 2
LEAST_ACCURACY = 0.8


def read_answer(path: Path) -> dict[str, Any]:
    """Return the JSON object in the output of a `flwr` command, whatever stands before it."""
    text = path.read_text(encoding="utf-8")
    answer = json.loads(text[text.index("{") :])
    expect("answer of flwr", answer.get("success"), True)
    return answer


def expect(what: str, got: object, want: object) -> None:
    """End the program, with one line, unless `got` equals `want`."""
    if got != want:
        sys.exit(f"smoke_check: {what}: expected {want}; got {got}")


def check_nodes(answer: dict[str, Any], count: int) -> None:
    """Check that exactly `count` SuperNodes are online."""
    print(json.dumps(answer))
    expect("nodes online", sum(n["status"] == "online" for n in answer["nodes"]), count)


def check_run(folder: Path, answer: dict[str, Any]) -> Iterator[str]:
    """Check the run's folder against the settings and Flower's own books; yield what held."""
    (run,) = answer["runs"]
    expect("status of the run", run["status"], "finished:completed")
    summary = json.loads((folder / "summary.json").read_text())
    rows = [json.loads(line) for line in (folder / "rounds.jsonl").read_text().splitlines()]
    expect("status in summary.json", summary["status"], "completed")
    expect("rounds", (summary["rounds"], [row["round"] for row in rows]), (ROUNDS, [1, 2]))
    expect("clients", summary["num_clients"], len(CLIENTS))
    replies = [(row["replies"], row["rejected"]) for row in rows]
    expect("(replies, rejected) by round", replies, [(len(CLIENTS), 0)] * ROUNDS)
    yield f"{ROUNDS} rounds, {len(CLIENTS)} replies in each, none dropped"

    with sqlite3.connect(folder / "ledger" / "index.sqlite") as index:
        seen = set(index.execute("SELECT round, client FROM replies"))
    expect("ledger", seen, {(r, c) for r in range(1, ROUNDS + 1) for c in CLIENTS})
    yield f"ledger names {', '.join(sorted(CLIENTS))}"

    expect(f"accuracy >= {LEAST_ACCURACY}", summary["accuracy"] >= LEAST_ACCURACY, True)
    yield f"accuracy {summary['accuracy']:.4f}"

    up = summary["bytes_up_total"]
    expect("bytes up", (up > 0, up), (True, sum(row["bytes_up"] for row in rows)))
    carried = run["network-traffic"]["inbound-bytes"]
    # Payload, against what Flower counted with its envelopes: a few kB a message.
    expect("bytes up below Flower's own count", up <= carried <= up + 5_000 * len(seen), True)
    yield f"{up / 1000:.1f} kB up ({carried / 1000:.1f} kB by Flower's own count)"

    saved = load_file(folder / "synthetic.safetensors")
    labels = saved["targets"].argmax(axis=1)
    expect("values in the merged set are finite", bool(np.isfinite(saved["inputs"]).all()), True)
    expect("classes in the merged set", np.unique(labels).tolist(), list(range(10)))
    digest = hashlib.sha256((folder / "synthetic.safetensors").read_bytes()).hexdigest()
    yield f"{len(labels)} synthetic records of all 10 classes, sha256 {digest[:12]}"


def main(arguments: list[str]) -> None:
    """Run the check that `arguments` name."""
    match arguments:
        case ["nodes", path, count]:
            check_nodes(read_answer(Path(path)), int(count))
        case ["run", folder, path]:
            for line in check_run(Path(folder), read_answer(Path(path))):
                print(f"smoke:        {line}")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
