"""FedAF: sets as with `fdd`, and mean logits per class, on which all sides agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from flwr.app import ArrayRecord, RecordDict
from torch import Tensor, nn

from fdd_flower.client.distil import distil
from fdd_flower.client.side import ClientSide
from fdd_flower.config import Config, DistillerConfig
from fdd_flower.device import moved
from fdd_flower.distillers.base import Guidance, Plan, declares
from fdd_flower.errors import ConfigError
from fdd_flower.ledger import Staging, StoredSets
from fdd_flower.methods.base import STRATEGIES, Method
from fdd_flower.models.base import Network
from fdd_flower.rng import stream
from fdd_flower.server.checks import check_distiller, refuse_changed
from fdd_flower.server.distillation import FederatedDistillation
from fdd_flower.server.judging.replies import arrays_of
from fdd_flower.server.judging.validator import Rules
from fdd_flower.server.pool import POOLING
from fdd_flower.server.side import ServerSide
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.class_logits import ClassLogits, KnowledgeMatching, average, class_logits
from fdd_flower.training.pace import Pace
from fdd_flower.wire.class_logits import HELD, logits_arrays, logits_bytes, read_logits
from fdd_flower.wire.records import ARRAYS, LOGITS, to_array_record

FIRST = 2  # the first round in which clients get the model: before, it has learned nothing
_SERVERS = ("fedaf.global-weight",)  # of no use before that round
_CLIENTS = ("fedaf.local-weight",)  # of none before the round after it
# As in benchmarks/results/federated.md; not tuned.
KEEP = 0.9  # share of the global model in a client's networks; the rest is noise
PROJECTIONS = 50  # directions along which a client's term compares logits
TEMPERATURE = 2.0  # of both sides of the server's term


class AggregationFree(FederatedDistillation):
    """FedAF (CVPR 2024, arXiv:2404.18962), on the machinery of `fdd`.

    A client matches distributions under resampled copies of the global model, in round 1 under the
    seeded networks of `dm`, and draws the mean logits of its rows to those of all clients' records.
    The server trains on the union with cross-entropy and the symmetric divergence of the model's
    class-mean logits from the clients' average (`class_logits.KnowledgeMatching`).

    Differs from the paper, as far as that and https://github.com/tejarshaarigila/FedAF (of others)
    tell:

    - one exchange per round, not two: the logits that a round's rows are drawn to are of the round
      before, found under the model of then. Until the model has learned there are none: the
      server's term begins in round 2, the clients' in round 3;
    - in round 1 the paper's copies would be of one untrained network, which is worse to match
      under than several random ones;
    - logits are those of the global model as it was sent; its resampled copies serve the matching.
      Their noise has each tensor's own scale: beside a deviation of 1 the weights would vanish;
    - the server's softmax is of mean logits, not the mean of softmaxes, and its rows are drawn anew
      each step, so that the term has a slope;
    - the clients' term has a slope; that code finds it in numpy, so that it moves no row;
    - the server trains from scratch each round; that code goes on from the last model, as
      `training.start = warm` does here;
    - each client counts alike for a class, which it may leave out: below `distiller.min-records` it
      does. All else, from the start to the moments, is as in `dm` and `fdd`.
    """

    def __init__(self, side: ServerSide) -> None:
        super().__init__(side)
        self.logits: ClassLogits | None = None  # of the last round

    def merge(self, server_round: int, parts: StoredSets) -> SyntheticSet:
        """Merge the sets of a round, and average the logits beside them."""
        self.logits = None
        if server_round >= FIRST:
            self.logits = average([_beside(part) for part in parts.values()])
        return super().merge(server_round, parts)

    def model_sent(self, server_round: int, arrays: ArrayRecord) -> ArrayRecord:
        """Return the global model once it has learned: clients distil by it and find its logits."""
        return arrays if server_round >= FIRST else ArrayRecord()

    def _more_to_send(self, server_round: int) -> Mapping[str, ArrayRecord]:
        if self.logits is None:
            return {}
        return {LOGITS: to_array_record(logits_arrays(self.logits))}

    def _rules(self, server_round: int, staged: Staging) -> Rules[SyntheticSet, str]:
        rules, classes = super()._rules(server_round, staged), len(self.side.plan.classes)
        if server_round < FIRST:
            return rules

        def decode(content: RecordDict) -> SyntheticSet:
            arrays = arrays_of(content)
            logits = read_logits(arrays, classes)
            rows = {name: a for name, a in arrays.items() if name not in (LOGITS, HELD)}
            part = rules.decode(RecordDict({ARRAYS: ArrayRecord(rows)}))
            return replace(part, beside={LOGITS: logits.values, HELD: logits.held.float()})

        # in a budget of bytes they have their place
        more = 0 if self.side.cfg.distiller.bytes else logits_bytes(classes)
        return replace(rules, decode=decode, max_bytes=rules.max_bytes + more)

    def _loss_beside(
        self, server_round: int, merged: SyntheticSet
    ) -> Callable[[nn.Module], Tensor] | None:
        cfg = self.side.cfg.fedaf
        if self.logits is None or cfg.global_weight == 0:
            return None
        return KnowledgeMatching(
            merged,
            moved(self.logits, self.side.device),
            weight=cfg.global_weight,
            temperature=TEMPERATURE,
            batch=Pace.of(self.side.cfg.training, len(merged)).batch_size,
            rng=stream(self.side.cfg.seed, "knowledge", server_round),
        )


def _beside(part: SyntheticSet) -> ClassLogits:
    return ClassLogits(part.beside[LOGITS], part.beside[HELD] > 0)


def condense(side: ClientSide) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Distil under the global model and send the set and the client's logits; in round 1 as `dm`.

    Raises
    ------
    DistillError
        As `fdd.distil` does.
    """
    if side.plan.round < FIRST:
        return distil(_by(side, side.cfg, "random"))
    own, classes = side.cfg.fedaf, len(side.plan.classes)
    wanted = None if side.logits is None else read_logits(side.logits, classes)
    guidance = Guidance(keep=KEEP, weight=own.local_weight, projections=PROJECTIONS, logits=wanted)
    record, metrics = distil(_by(side, _beside_logits(side.cfg, classes), "global"), guidance)
    found = class_logits(
        side.global_model(),
        side.data.inputs,
        side.data.labels,
        num_classes=classes,
        least=side.cfg.distiller.min_records,
    )
    return ArrayRecord({**record, **to_array_record(logits_arrays(found))}), metrics


def _by(side: ClientSide, cfg: Config, embedder: str) -> ClientSide:
    return replace(side, cfg=replace(cfg, distiller=replace(cfg.distiller, embedder=embedder)))


def _beside_logits(cfg: Config, classes: int) -> Config:
    """Return `cfg` with what logits leave of a budget of bytes."""
    if not cfg.distiller.bytes:
        return cfg
    left = max(1, cfg.distiller.bytes - logits_bytes(classes))
    return replace(cfg, distiller=replace(cfg.distiller, bytes=left))


def check(cfg: Config, plan: Plan, model: Network) -> None:
    """Check that the distiller goes by what this method gives it, and that there is a use for all.

    Raises
    ------
    ConfigError
        If it does not, or a setting is changed that this method decides.
    """
    distiller, default = cfg.distiller, DistillerConfig()
    for first, names in ((FIRST, _SERVERS), (FIRST + 1, _CLIENTS)):
        if cfg.num_server_rounds < first:
            refuse_changed(cfg, names, f"num-server-rounds={cfg.num_server_rounds}")
    if distiller.bytes and cfg.num_server_rounds >= FIRST:
        try:
            check_distiller(_beside_logits(cfg, len(plan.classes)), plan, model)
        except ConfigError as error:
            raise ConfigError(
                "distiller.bytes",
                got=distiller.bytes,
                remedy=error.remedy,
                expected=f"{error.expected}, and {logits_bytes(len(plan.classes))} for the logits",
            ) from error
    if not declares(distiller.name, "guided"):
        raise ConfigError(
            "distiller.name",
            expected="one that matches by the global model and logits: dm",
            got=distiller.name,
            remedy="Choose dm, or set strategy.name=fdd.",
        )
    if distiller.embedder not in (default.embedder, "global"):
        raise ConfigError(
            "distiller.embedder",
            expected="global, as always with strategy.name=fedaf",
            got=distiller.embedder,
            remedy="Leave it out, or set strategy.name=fdd.",
        )


STRATEGIES.register("fedaf")(
    Method(server=AggregationFree, client=condense, distils=True, check=check, uses=POOLING)
)
