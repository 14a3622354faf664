"""What a federated method is: a server half (a Flower Strategy) and a client half."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from fdd_flower.config import Config, StrategyConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import Plan
from fdd_flower.ledger import Ledger
from fdd_flower.models import build_model
from fdd_flower.models.base import Network
from fdd_flower.registry import Registry
from fdd_flower.report.saved_set import Source
from fdd_flower.scoring import Root
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training import Teacher


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

    `tally`, and `merged` with the `sources` that its `origin` counts, are written by the method and
    read by the runner. `client_at` is the client key that each node replied under last. `root` is
    what sets are scored by; None: they are not. `teacher` is the network that `server.teacher`
    names, and the round whose merged set it was trained on. `taught_by` is what the method itself
    has models learn from where that names none; None: the merged set.
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

    def new_model(self, round_: int = 0) -> Network:
        """Return the global model with the fresh weights of `round_`."""
        return new_model(self.cfg, self.plan, round_)


def new_model(cfg: Config, plan: Plan, round_: int = 0) -> Network:
    """Return the run's model with the fresh weights of `round_`."""
    return build_model(
        cfg.model,
        feature_shape=plan.feature_shape,
        num_classes=len(plan.classes),
        seed=cfg.seed + round_,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSide:
    """What the client half of a method works with."""

    cfg: Config
    plan: Plan
    data: Split
    client: str
    context: Context
    arrays: ArrayRecord  # the global model
    # the other clients' rows of the round before; or their sealed shares of a secure sum
    peers: ArrayRecord | None = None
    logits: ArrayRecord | None = None  # the global class logits of the round before

    def global_model(self) -> Network:
        """Return the global model with the weights that the server sent."""
        model = new_model(self.cfg, self.plan)
        model.load_state_dict(self.arrays.to_torch_state_dict())
        return model


@dataclass(frozen=True, slots=True)
class Method:
    """Both halves of a federated method.

    Attributes
    ----------
    server
        Builds the Flower Strategy that runs the rounds.
    client
        Does a client's work of one round: the arrays to send and metrics beside them.
    distils
        Whether clients send synthetic sets (or sketches, or parameters of the model).
    synthesises
        Whether the server makes a set of what clients send that is no set, and any model can be
        trained on it.
    uses
        The settings of `strategy` that it reads beside those of every method (`COMMON`); a change
        of any other is refused. None: it does not say.
    needs
        How many usable replies it takes.
    condenses
        Whether clients that send parameters distil for themselves.
    conditions
        Whether what a client sends may depend on what others sent in earlier rounds, whatever its
        distiller is set to look at: then those rounds cannot be replayed without one of them.
    check
        Raises a ConfigError where a run's settings, plan and model do not fit the method; before
        the run has a folder.
    """

    server: Callable[[ServerSide], Strategy]
    client: Callable[[ClientSide], tuple[ArrayRecord, dict[str, int | float]]]
    distils: bool
    synthesises: bool = False
    uses: tuple[str, ...] | None = None
    needs: Callable[[StrategyConfig], int] = lambda cfg: 1
    condenses: bool = False
    conditions: bool = True
    check: Callable[[Config, Plan, Network], None] | None = None


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


COMMON = ("name", "min_nodes", "quorum", "deadline", "fraction")
STRATEGIES: Registry[Method] = Registry("strategy", "fdd_flower.strategies")
