"""Check what private runs of a deployment leave, without fdd-flower's own code.

Usage: python deploy/privacy_check.py data FOLDER
       python deploy/privacy_check.py sent RUN COUNT
       python deploy/privacy_check.py run|sum RUN REPLIES REFUSED
       python deploy/privacy_check.py budgets FOLDER CLIENT=RELEASES...

`data` writes three clients' records and the server's own; `sent` prints the hash of each release in
a run's ledger and ends with status 1 while there are fewer than COUNT; `run` checks a run that has
completed, and which clients refused because of their budget (REFUSED: names with commas, or -),
`sum` one behind a secure sum, whose ledger has the sum alone;
`budgets` checks how many releases each client's own ledger has charged and kept.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from sklearn.datasets import load_digits

CLIENTS = ("a", "b", "c")
LEAST_ACCURACY = 0.8
COPIES = 12  # of a digit at a client: at epsilon 1 fewer records would drown in the noise


def expect(what: str, got: object, want: object) -> None:
    """End the program, with one line, unless `got` equals `want`."""
    if got != want:
        sys.exit(f"privacy_check: {what}: expected {want}; got {got}")


def write_data(folder: Path) -> None:
    """Write test.npz, a share of scikit-learn's digits, and a.npz, b.npz and c.npz: one each too,
    every digit as often as `COPIES` with noise of its own.
    """
    digits: Any = load_digits()
    rng = np.random.default_rng(0)
    images = digits.images[:, None] * 15  # (n, 1, 8, 8), from 0..16 to 0..240
    labels = digits.target.astype(np.int64)
    part = rng.integers(0, 4, len(labels))
    for place, name in enumerate(("test", *CLIENTS)):
        x, y = images[part == place], labels[part == place]
        if place:
            x, y = np.tile(x, (COPIES, 1, 1, 1)), np.tile(y, COPIES)
            x = np.clip(x + rng.normal(0, 10, x.shape), 0, 255)
        np.savez(folder / f"{name}.npz", x=x.astype(np.uint8), y=y)


def rows(path: Path, query: str) -> list[tuple]:
    """Return the rows of a query of an SQLite file, which is not changed."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


def sent(run: Path) -> dict[str, str]:
    """Return the hash of the release of each client in a run's ledger."""
    index = run / "ledger" / "index.sqlite"
    if not index.exists():
        return {}
    try:
        found = rows(index, "SELECT client, sha256 FROM replies WHERE verdict = 'accepted'")
    except sqlite3.OperationalError:  # it is being made
        return {}
    return dict(sorted(found))


def check_run(run: Path, replies: int, refused: list[str], *, secure: bool = False) -> None:
    """Check a run that has completed; `secure`: of whose releases the server has the sum alone."""
    summary = json.loads((run / "summary.json").read_text())
    (row,) = [json.loads(line) for line in (run / "rounds.jsonl").read_text().splitlines()]
    expect("status", summary["status"], "completed")
    expect("(replies, rejected)", (row["replies"], row["rejected"]), (replies, len(refused)))
    kept = sent(run)
    if secure:
        expect("what the ledger has", list(kept), ["secure sum"])
    else:
        expect("releases in the ledger", len(kept), replies)
    query = "SELECT code, reason FROM replies WHERE verdict = 'rejected' ORDER BY reason"
    turned = rows(run / "ledger" / "index.sqlite", query)
    expect("refusals in the ledger", [code for code, _ in turned], ["refused"] * len(refused))
    for client, (_, reason) in zip(refused, turned, strict=True):
        said = f"client {client}: expected a set; got a refusal (BudgetError)"
        expect(f"refusal of {client}", said in reason, True)
    expect(f"accuracy >= {LEAST_ACCURACY}", summary["accuracy"] >= LEAST_ACCURACY, True)
    drawn = load_file(run / "synthetic.safetensors")["inputs"]
    expect("rows are finite", bool(np.isfinite(drawn).all()), True)
    digest = hashlib.sha256((run / "synthetic.safetensors").read_bytes()).hexdigest()
    print(
        f"{replies} releases, refusals of {', '.join(refused) or 'nobody'}; "
        f"accuracy {summary['accuracy']:.4f} from {len(drawn)} drawn rows, sha256 {digest[:12]}"
    )


def check_budgets(folder: Path, expected: dict[str, int]) -> None:
    """Check how many releases each client has charged to its budget, and frozen."""
    for client, count in expected.items():
        (ledger,) = (folder / client).glob("*.sqlite")
        (charged,) = rows(ledger, "SELECT count(*), sum(releases) FROM charges")
        ((frozen,),) = rows(ledger, "SELECT count(*) FROM frozen")
        expect(f"releases of {client}", (*charged, frozen), (count, count, count))
    print(", ".join(f"{client} has charged {count}" for client, count in expected.items()))


def main(arguments: list[str]) -> None:
    """Run the command that `arguments` name."""
    match arguments:
        case ["data", folder]:
            write_data(Path(folder))
        case ["sent", run, count]:
            found = sent(Path(run))
            print(json.dumps(found))
            sys.exit(len(found) < int(count))
        case ["run" | "sum" as what, run, replies, refused]:
            names = [] if refused == "-" else refused.split(",")
            check_run(Path(run), int(replies), names, secure=what == "sum")
        case ["budgets", folder, *pairs]:
            each = (pair.split("=") for pair in pairs)
            check_budgets(Path(folder), {client: int(count) for client, count in each})
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
