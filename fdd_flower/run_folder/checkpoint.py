"""The state of a run after a round: all that a new process needs to continue as the old one.

Random numbers need no place here: every draw comes from a stream named by the seed, the purpose
and the round (`rng`), and no generator outlives a round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from fdd_flower.errors import DataError
from fdd_flower.run_folder.rows import RoundRow
from fdd_flower.run_folder.tensor_file import pack, unpack

SCHEMA = 1  # readers refuse any other
_STATE = "strategy/"  # before the names of the strategy's tensors; no parameter is called so


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A run between two rounds.

    Attributes
    ----------
    round
        Rounds that are done; 0 before the first.
    nonce
        Of the run's plan: a later process would draw another, and clients know it by this one.
    model
        The global model's weights, by name.
    rows
        What the rounds did; the run's totals are their sums.
    clients
        Keys of all clients that were used so far, sorted.
    parts
        (client, content hash in the ledger) of the last round's sets, in the order of merging.
    client_at
        The client key that each node replied under last; nodes keep their ids where Flower
        authenticates them.
    seconds
        Time spent so far.
    state
        What the strategy carries from round to round beside the model, by name.
    """

    round: int
    nonce: str
    model: Mapping[str, Tensor]
    rows: tuple[RoundRow, ...] = ()
    clients: tuple[str, ...] = ()
    parts: tuple[tuple[str, str], ...] = ()
    client_at: Mapping[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    state: Mapping[str, Tensor] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return one safetensors file: model and facts are there together, or not at all."""
        facts = {
            "schema": SCHEMA,
            "round": self.round,
            "nonce": self.nonce,
            "rows": [row.to_json() for row in self.rows],
            "clients": list(self.clients),
            "parts": [list(part) for part in self.parts],
            "client-at": {str(node): client for node, client in self.client_at.items()},
            "seconds": self.seconds,
        }
        state = {f"{_STATE}{name}": tensor for name, tensor in self.state.items()}
        return pack({**self.model, **state}, facts)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read what `Checkpoint.to_bytes` made.

    Raises
    ------
    DataError
        If the file is missing, truncated, of another version, or holds something else.
    """
    tensors, facts = unpack(path)
    try:
        return _read(tensors, facts, path)
    except (KeyError, TypeError, AttributeError, ValueError, DataError) as error:
        raise DataError(
            str(path),
            expected=f"a checkpoint of schema {SCHEMA}",
            got=f"{type(error).__name__}: {error}",
            remedy="Resume with the version that began the run; a damaged one cannot be resumed.",
        ) from error


def _read(tensors: dict[str, Tensor], facts: dict[str, Any], path: Path) -> Checkpoint:
    if facts["schema"] != SCHEMA:
        raise ValueError(f"schema {facts['schema']}")
    rows = tuple(RoundRow.from_json(row, where=f"{path}, rows") for row in facts["rows"])
    if [row.round for row in rows] != list(range(1, facts["round"] + 1)):
        raise ValueError(f"rounds {[row.round for row in rows]} of {facts['round']}")
    return Checkpoint(
        round=int(facts["round"]),
        nonce=str(facts["nonce"]),
        model={name: t for name, t in tensors.items() if not name.startswith(_STATE)},
        rows=rows,
        clients=tuple(map(str, facts["clients"])),
        parts=tuple((str(client), str(sha256)) for client, sha256 in facts["parts"]),
        client_at={int(node): str(client) for node, client in facts["client-at"].items()},
        seconds=float(facts["seconds"]),
        state={
            name.removeprefix(_STATE): t for name, t in tensors.items() if name.startswith(_STATE)
        },
    )
