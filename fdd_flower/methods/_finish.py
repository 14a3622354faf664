"""The server half of a finishing round: a last layer that all clients' real records fit best."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from flwr.app import ArrayRecord, MetricRecord, RecordDict
from torch import Tensor

from fdd_flower.client.finish import finishes
from fdd_flower.config import Config
from fdd_flower.device import moved, on_host
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import ConfigError
from fdd_flower.ledger import Staging, StoredSets
from fdd_flower.models.base import Network
from fdd_flower.progress_log import say
from fdd_flower.server.distillation import FederatedDistillation
from fdd_flower.server.judging.replies import arrays_of
from fdd_flower.server.judging.validator import Rules
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.readout import Basis, Sums, features_of, give, last_linear, solve
from fdd_flower.wire.readout import (
    basis_record,
    from_tensors,
    read_sums,
    sums_bytes,
    to_tensors,
)
from fdd_flower.wire.records import BASIS

LARGEST = 2560  # features: their products are three million numbers
# Nobody can check a count that a client claims, or how long its features are. Those of uneven
# federations stay within these factors of the median; beyond them, a client counts for less.
MOST_RECORDS, LONGEST = 100, 10


def check_finish(cfg: Config, plan: Plan, model: Network) -> None:
    """Check that a run with a finishing round has a set before it, and a last layer to fit.

    Raises
    ------
    ConfigError
        If it has not.
    """
    if cfg.strategy.finish == "none":
        return
    if cfg.num_server_rounds < 2:
        raise ConfigError(
            "num-server-rounds",
            expected="at least 2 with strategy.finish=readout",
            got=cfg.num_server_rounds,
            remedy="The last round fits the last layer of a model that the others trained: add "
            "a round.",
        )
    layer = last_linear(model, len(plan.classes))
    if layer is None or layer.in_features >= LARGEST:
        got = "no such layer" if layer is None else f"{layer.in_features} features"
        raise ConfigError(
            "strategy.finish",
            expected=f"none, or a network whose last layer is linear, on under {LARGEST} features",
            got=f"{got} with model.name={cfg.model.name}",
            remedy="Choose cnn, convnet or mlp, or a smaller model.width.",
        )


class Finishing(FederatedDistillation):
    """Sets in all rounds; with `strategy.finish = readout` sums of features in the last.

    The network stays as it was trained on the merged set, but for its last layer. That is fitted by
    ridge regression to all clients' real records, which enter by their sums: so it is the same
    whatever the partition, one class a client included.
    """

    def model_sent(self, server_round: int, arrays: ArrayRecord) -> ArrayRecord:
        """Return the global model where clients of the round use it."""
        if finishes(self.side.cfg, server_round):
            return arrays
        return super().model_sent(server_round, arrays)

    def _more_to_send(self, server_round: int) -> Mapping[str, ArrayRecord]:
        if not finishes(self.side.cfg, server_round):
            return super()._more_to_send(server_round)
        self.pool = ()  # no client needs the others' rows
        return {BASIS: basis_record(self._basis(self._model()))}

    def resume(self, server_round: int, parts: StoredSets) -> None:
        """Take up the sets of the last round that had any."""
        if finishes(self.side.cfg, server_round):
            server_round -= 1
            found = self.side.ledger.accepted(server_round)
            parts = self.side.ledger.sets({c: entry.sha256 for c, entry in found.items()})
        super().resume(server_round, parts)

    def screened(self, server_round: int, hashes: Mapping[str, str]) -> StoredSets:
        """Score what a round took in; all sums stay, for they are no sets."""
        if finishes(self.side.cfg, server_round):
            return self.side.ledger.sets(hashes)
        return super().screened(server_round, hashes)

    def _learn(self, server_round: int, parts: StoredSets) -> tuple[ArrayRecord, MetricRecord]:
        if not finishes(self.side.cfg, server_round):
            return super()._learn(server_round, parts)
        model, hashes = self._model(), parts.hashes.values()
        basis = self._basis(model)
        coefficients = solve(_bounded(self._read(sha256) for sha256 in hashes), basis)
        give(coefficients, model, self._merged())
        if self.side.teacher is not None:
            self.side.teacher = (server_round, self.side.teacher[1])  # of the same merged set
        say(f"round {server_round}: fitted the last layer to the sums of {len(hashes)} clients")
        return ArrayRecord(model.state_dict()), MetricRecord({"rows": len(self._merged())})

    def _rules(self, server_round: int, staged: Staging) -> Rules[Any, str]:
        if not finishes(self.side.cfg, server_round):
            return super()._rules(server_round, staged)
        classes, features = len(self.side.plan.classes), self._dimensions()

        def decode(content: RecordDict) -> dict[str, Tensor]:
            return to_tensors(read_sums(arrays_of(content), features, classes))

        return Rules(
            nonce=self.side.plan.nonce,
            round=server_round,
            max_bytes=sums_bytes(features, classes),
            decode=decode,
            keep=staged.add,
            identity=str,
        )

    def _model(self) -> Network:
        model = self.side.new_model()
        model.load_state_dict(self.arrays.to_torch_state_dict())
        return model

    def _dimensions(self) -> int:
        layer = last_linear(self.side.new_model(), len(self.side.plan.classes))
        assert layer is not None  # by `check_finish`
        return layer.in_features + 1

    def _merged(self) -> SyntheticSet:
        assert self.side.merged is not None  # an earlier round made it
        return moved(self.side.merged, self.side.device)

    def _basis(self, model: Network) -> Basis:
        merged = self._merged()
        return Basis.of(features_of(model, merged.inputs), on_host(merged.weights))

    def _read(self, sha256: str) -> Sums:
        kept = self.side.ledger.load_any(sha256)
        assert isinstance(kept, Mapping)
        return from_tensors(kept)


def _bounded(parts: Iterator[Sums]) -> Iterator[tuple[float, Sums]]:
    """Yield sums and what they count for; none far more, or far longer, than the median."""
    held = list(parts)
    most = MOST_RECORDS * statistics.median(float(one.records) for one in held)
    sizes = [float(one.lengths.double().square().sum()) for one in held]
    largest = LONGEST * statistics.median(sizes)
    for one, size in zip(held, sizes, strict=True):
        # as if it had fewer records: what it says of them goes together
        yield min(float(one.records), most) * min(1.0, largest / size), one
