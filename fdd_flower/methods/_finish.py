"""The strategy of a run that ends with finishing rounds; see `strategy.finish`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flwr.app import ArrayRecord, MetricRecord, RecordDict
from torch import Tensor

from fdd_flower.client.finish import FITTED, finish_of, finishes, rounds_of_sets
from fdd_flower.config import Config
from fdd_flower.device import moved
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import ConfigError
from fdd_flower.ledger import Staging, StoredSets
from fdd_flower.models.base import Network
from fdd_flower.progress_log import say
from fdd_flower.server.distillation import FederatedDistillation
from fdd_flower.server.finish import FINISHES, Finish
from fdd_flower.server.judging.replies import arrays_of
from fdd_flower.server.judging.validator import Rules
from fdd_flower.synthetic_set import SyntheticSet


def check_finish(cfg: Config, plan: Plan, model: Network) -> None:
    """Check that a run with a finishing round has a set before it, and a model for it.

    Raises
    ------
    ConfigError
        If it has not.
    """
    kind = cfg.strategy.finish
    if kind == "none":
        return
    last = cfg.strategy.finish_rounds
    if rounds_of_sets(cfg) < 1:
        raise ConfigError(
            "num-server-rounds",
            expected=f"at least {last + 1} with strategy.finish={kind}"
            + (f" and strategy.finish-rounds={last}" if last > 1 else ""),
            got=cfg.num_server_rounds,
            remedy="A finishing round improves a model that rounds of sets trained: add a round.",
        )
    if cfg.strategy.finish_step == FITTED and last < 2:
        raise ConfigError(
            "strategy.finish-rounds",
            expected="at least 2 with strategy.finish-step=fitted",
            got=last,
            remedy="Clients change the model in one round and measure the changes in the next: "
            "raise strategy.finish-rounds and num-server-rounds.",
        )
    FINISHES[kind](cfg, plan, model).check()


class Finishing(FederatedDistillation):
    """Rounds of sets, and then those that improve the model as `strategy.finish` names."""

    _finishes: Mapping[int, Finish] = MappingProxyType({})  # of the round that runs

    def model_sent(self, server_round: int, arrays: ArrayRecord) -> ArrayRecord:
        """Return the global model where clients of the round use it."""
        if finishes(self.side.cfg, server_round):
            return arrays
        return super().model_sent(server_round, arrays)

    def _more_to_send(self, server_round: int) -> Mapping[str, ArrayRecord]:
        if not finishes(self.side.cfg, server_round):
            return super()._more_to_send(server_round)
        self.pool = ()  # no client needs the others' rows without its own
        return self._finish(server_round).beside(self._model(), self._merged())

    def resume(self, server_round: int, parts: StoredSets) -> None:
        """Take up the sets of the last round that had any."""
        if finishes(self.side.cfg, server_round):
            server_round = rounds_of_sets(self.side.cfg)
            found = self.side.ledger.accepted(server_round)
            parts = self.side.ledger.sets({c: entry.sha256 for c, entry in found.items()})
        super().resume(server_round, parts)

    def screened(self, server_round: int, hashes: Mapping[str, str]) -> StoredSets:
        """Score what a round took in; in a finishing one all stays: it holds no sets."""
        if finishes(self.side.cfg, server_round):
            return self.side.ledger.sets(hashes)
        return super().screened(server_round, hashes)

    def _learn(self, server_round: int, parts: StoredSets) -> tuple[ArrayRecord, MetricRecord]:
        if not finishes(self.side.cfg, server_round):
            return super()._learn(server_round, parts)
        model, hashes = self._model(), parts.hashes.values()
        finish = self._finish(server_round)
        finish.learn(model, self._merged(), [self._read(sha256) for sha256 in hashes])
        if self.side.teacher is not None:
            self.side.teacher = (server_round, self.side.teacher[1])  # of the same merged set
        say(f"round {server_round}: {finish.did} of {len(hashes)} clients")
        return ArrayRecord(model.state_dict()), MetricRecord({"rows": len(self._merged())})

    def _rules(self, server_round: int, staged: Staging) -> Rules[Any, str]:
        if not finishes(self.side.cfg, server_round):
            return super()._rules(server_round, staged)

        finish = self._finish(server_round)

        def decode(content: RecordDict) -> dict[str, Tensor]:
            return finish.read(arrays_of(content))

        return Rules(
            nonce=self.side.plan.nonce,
            round=server_round,
            max_bytes=finish.up,
            decode=decode,
            keep=staged.add,
            identity=str,
        )

    def _finish(self, server_round: int) -> Finish:
        if server_round not in self._finishes:
            self._finishes = {server_round: self._new_finish(server_round)}
        return self._finishes[server_round]

    def _new_finish(self, server_round: int) -> Finish:
        cfg, before = self.side.cfg, []
        if finishes(cfg, server_round - 1):
            taken = self.side.ledger.accepted(server_round - 1)
            before = [self._read(taken[client].sha256) for client in sorted(taken)]
        kind = FINISHES[finish_of(cfg, server_round)]
        return kind(cfg, self.side.plan, self.side.new_model(), before)

    def _model(self) -> Network:
        model = self.side.new_model()
        model.load_state_dict(self.arrays.to_torch_state_dict())
        return model

    def _merged(self) -> SyntheticSet:
        assert self.side.merged is not None  # an earlier round made it
        return moved(self.side.merged, self.side.device)

    def _read(self, sha256: str) -> Mapping[str, Tensor]:
        kept = self.side.ledger.load_any(sha256)
        assert isinstance(kept, Mapping)
        return kept
