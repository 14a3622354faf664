"""What the server half of a method works with, and what it makes of the replies of a round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from fdd_flower.client.side import new_model
from fdd_flower.config import Config
from fdd_flower.device import resolve
from fdd_flower.distillers.base import Plan
from fdd_flower.ledger import Ledger
from fdd_flower.models.base import Network
from fdd_flower.run_folder.saved_set import Source
from fdd_flower.scoring import Root
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.teachers import Teacher


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the server made of one reply.

    Attributes
    ----------
    client
        The key that it gave, or the node that it came from where it gave none.
    reason, code
        Why it was refused, in a sentence and as a `Code`; both empty where it was not.
    num_bytes
        Of its content on the wire; of its arrays alone where those were too many.
    seconds
        That the client says it took.
    """

    client: str
    accepted: bool
    reason: str
    num_bytes: int
    seconds: float
    code: str = ""


@dataclass(slots=True)
class RoundTally:
    """What happened in the round that is under way; the runner turns it into a row."""

    verdicts: list[Verdict] = field(default_factory=list)
    seconds_train: float = 0.0

    def rejected_codes(self) -> dict[str, int]:
        """Return how many replies were refused for each reason, by code."""
        return dict(sorted(Counter(v.code for v in self.verdicts if not v.accepted).items()))


@dataclass(slots=True, kw_only=True)
class ServerSide:
    """What the server half of a method works with.

    Sets, `merged` too, are on the CPU, models and `root` on `device`.

    `tally`, and `merged` with the `sources` that its `origin` counts, are written by the method and
    read by the runner. `client_at` is the client key that each node replied under last. `root` is
    what sets are scored by; None: they are not. `teacher` is the network that `server.teacher`
    names, and the round whose merged set it was trained on. `taught_by` is what the method itself
    has models learn from where that names none; None: the merged set. `claimed` is how many
    records of each class stand behind `merged`, as clients say; empty: nobody says it.
    """

    cfg: Config
    plan: Plan
    ledger: Ledger
    tally: RoundTally = field(default_factory=RoundTally)
    merged: SyntheticSet | None = None
    sources: tuple[Source, ...] = ()
    client_at: dict[int, str] = field(default_factory=dict)
    root: Root | None = None
    teacher: tuple[int, Network] | None = None
    taught_by: Teacher | None = None
    claimed: tuple[float, ...] = ()

    @property
    def device(self) -> torch.device:
        """Where the run's settings have the server compute."""
        return resolve(self.cfg.runtime.device)

    def new_model(self, round_: int = 0) -> Network:
        """Return the global model with the fresh weights of `round_`."""
        return new_model(self.cfg, self.plan, round_)


class ServerEvaluates(Strategy):
    """A strategy that has no client evaluate: the server measures on test records of its own."""

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask nobody."""
        return []

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Return nothing: no client was asked."""
        return None
