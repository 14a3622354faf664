"""The sum of masked sketches in the ledger: recorded once, and taken up after a restart.

A second sum, of other clients, would give the sketches of those away in which the two differ. So a
round whose sum is in the ledger is never asked again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from fdd_flower.ledger import REJECTED, SUMMED, Entry, accepted_entry, summed_entry
from fdd_flower.run_folder.files import append_line
from fdd_flower.server.side import ServerSide, Verdict

ASKED = "asked.jsonl"  # beside the ledger's index: a line for each sum that clients were asked for
SUM = "secure sum"  # in place of a client's key in the ledger


def note_asked(side: ServerSide, round_: int, clients: int) -> None:
    """Note that so many clients are asked for a sum, before they are: it may cost each of them."""
    line = json.dumps({"round": round_, "clients": clients})
    append_line(side.ledger.path / ASKED, line)


def sums_asked(ledger: Path) -> int:
    """Return how many sums clients were asked for in a run; one that failed was charged too."""
    path = ledger / ASKED
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def record_total(side: ServerSide, round_: int, arrays: Mapping[str, Tensor]) -> str:
    """Keep the sum in the ledger, with a line for each client that is in it; return its hash."""
    used = [verdict for verdict in side.tally.verdicts if verdict.accepted]
    nonce, size = side.plan.nonce, sum(verdict.num_bytes for verdict in used)
    with side.ledger.staging() as staged:
        sha256 = staged.add(arrays)
        side.ledger.accept(
            staged,
            [
                accepted_entry(sha256, SUM, round_, nonce, size),
                *(summed_entry(v.client, round_, nonce, v.num_bytes) for v in used),
            ],
        )
    return sha256


def recorded_total(side: ServerSide, round_: int) -> Entry | None:
    """Return the line of the sum of a round that an earlier process recorded; None: none did."""
    return side.ledger.accepted(round_).get(SUM)


def take_up_verdicts(side: ServerSide, round_: int) -> None:
    """Put into the tally what that process made of the replies; how long they took is not known."""
    for entry in side.ledger.entries():
        if entry.round == round_ and entry.verdict in (SUMMED, REJECTED):
            side.tally.verdicts.append(
                Verdict(
                    client=entry.client,
                    accepted=entry.verdict == SUMMED,
                    reason=entry.reason,
                    num_bytes=entry.bytes,
                    seconds=0.0,
                    code=entry.code,
                )
            )
