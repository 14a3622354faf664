"""The server half of methods whose clients send synthetic sets: merge them, train on the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp import Grid
from torch import Tensor, nn

from fdd_flower.client.distil import peers_codec
from fdd_flower.device import moved, on_host
from fdd_flower.distillers.base import packing_of
from fdd_flower.distillers.parts.options import settings_of_round, uses_model
from fdd_flower.ledger import Staging, StoredSets, accepted_entry
from fdd_flower.mergers.base import MERGERS, AgedSets
from fdd_flower.mergers.prior import claimed_counts, under_prior
from fdd_flower.progress_log import say, say_steps
from fdd_flower.rng import stream
from fdd_flower.scoring import bound_shares
from fdd_flower.server.extra_models import lesson
from fdd_flower.server.judging.replies import arrays_of, judged_replies
from fdd_flower.server.judging.screened import screened
from fdd_flower.server.judging.set_rules import SetRules, check_kind
from fdd_flower.server.judging.validator import Rules
from fdd_flower.server.pool import Pooled, pool_of
from fdd_flower.server.sampling import Sampler
from fdd_flower.server.side import ServerEvaluates, ServerSide
from fdd_flower.synthetic_set import LazySets, SyntheticSet, each_moved
from fdd_flower.training.loop import train_on
from fdd_flower.wire.codecs.base import build_codec, resolved
from fdd_flower.wire.records import ARRAYS, CONFIG, PEERS, read_set, set_record
from fdd_flower.wording import many


class FederatedDistillation(ServerEvaluates):
    """Merges the clients' synthetic sets and trains the global model on the merged one.

    Parameters
    ----------
    side
        Settings, plan, ledger and tally of the run.
    """

    def __init__(self, side: ServerSide) -> None:
        self.side = side
        self.codec = build_codec(side.cfg.codec, side.plan.feature_shape)
        self.merger = MERGERS.get(side.cfg.merger.name)(side.cfg.merger)
        self.arrays, self.round = ArrayRecord(), 0
        self.pool: Sequence[Pooled] = ()  # what was merged last
        self.resumed, self.sampler = False, Sampler(side)
        self.fresh: Callable[[], SyntheticSet] | None = None  # draws rows anew while models train

    def summary(self) -> None:
        """Log the parts of the method."""
        cfg = self.side.cfg
        codec = resolved(cfg.codec, self.side.plan.feature_shape).name
        say(
            f"distiller {cfg.distiller.name} (ipc {cfg.distiller.ipc}), codec {codec}, "
            f"merger {cfg.merger.name}"
        )

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Send the plan to the clients of the round, and the global model if they use it."""
        nodes = self.sampler.choose(grid, server_round, config)
        self.arrays, self.round = arrays, server_round
        model = self.model_sent(server_round, arrays)
        shared = RecordDict({ARRAYS: model, CONFIG: config, **self._more_to_send(server_round)})
        if not self.side.cfg.distiller.peers or not self.pool:
            return [Message(shared, node, MessageType.TRAIN) for node in nodes]
        if getattr(self.merger, "blends", False):
            assert self.side.merged is not None  # of the same sets as the pool
            content = RecordDict({**shared, PEERS: set_record(self.side.merged, peers_codec())})
            return [Message(content, node, MessageType.TRAIN) for node in nodes]
        # a node that is new, or all of a run that was resumed: whose rows are its own?
        if self.resumed or any(self.sampler.name_of(node) is None for node in nodes):
            self.sampler.learn_names(grid, nodes, config)
        self.resumed = False
        # a set is merged once for every other client: all are in memory here
        pool = [(one, one.load(self.side)) for one in self.pool]
        messages = []
        for node in nodes:
            others = self._peers_of(node, pool)
            content = shared if others is None else RecordDict({**shared, PEERS: others})
            messages.append(Message(content, node, MessageType.TRAIN))
        return messages

    def model_sent(self, server_round: int, arrays: ArrayRecord) -> ArrayRecord:
        """Return the global model, or no parameters where clients of the round do not use them."""
        cfg = settings_of_round(self.side.cfg.distiller, server_round)
        return arrays if uses_model(cfg) else ArrayRecord()

    def _more_to_send(self, server_round: int) -> Mapping[str, ArrayRecord]:
        """Return the records that all clients get beside plan and model."""
        return {}

    def resume(self, server_round: int, parts: StoredSets) -> None:
        """Take up the sets of the last round that was done; see `Resumable.resume`."""
        self.resumed = True
        self.merge(server_round, parts)

    def _peers_of(
        self, node: int, pool: Sequence[tuple[Pooled, SyntheticSet]]
    ) -> ArrayRecord | None:
        """Return the rows of all clients but the one at `node`, merged."""
        own = self.sampler.name_of(node)
        others = [(one.factor, part) for one, part in pool if one.client != own]
        if not others:
            return None
        factors, parts = zip(*others, strict=True)
        rng = stream(self.side.cfg.seed, "peers", self.round)
        aged = AgedSets(each_moved(parts, self.side.device), factors)
        return set_record(self.merger.merge(aged, rng=rng), peers_codec())

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord, MetricRecord]:
        """Judge the replies, keep the good ones, merge them and train on the merged set.

        Raises
        ------
        QuorumError
            If too few replies are usable.
        """
        return self.learn(server_round, self.take_in(server_round, replies))

    def take_in(self, server_round: int, replies: Iterable[Message]) -> StoredSets:
        """Judge the replies of a round, and return the sets to merge, which the ledger has.

        One decoded set is in memory at a time.

        Raises
        ------
        QuorumError
            If too few replies are usable.
        """
        return self.screened(server_round, self.accepted(server_round, replies))

    def screened(self, server_round: int, hashes: Mapping[str, str]) -> StoredSets:
        """Score what a round took in, by its hashes in the ledger, and return what stays of it.

        Raises
        ------
        QuorumError
            If too little stays.
        """
        return screened(self.side.ledger.sets(hashes), side=self.side, round_=server_round)

    def accepted(self, server_round: int, replies: Iterable[Message]) -> dict[str, str]:
        """Judge the replies of a round, and return by client the hash of what the ledger has.

        Raises
        ------
        QuorumError
            If too few replies are usable.
        """
        side = self.side
        with side.ledger.staging() as staged:
            usable = judged_replies(replies, side=side, rules=self._rules(server_round, staged))
            sizes = {v.client: v.num_bytes for v in side.tally.verdicts if v.accepted}
            side.ledger.accept(
                staged,
                [
                    accepted_entry(sha256, e.client, server_round, side.plan.nonce, sizes[e.client])
                    for e, sha256 in usable
                ],
            )
        return {envelope.client: sha256 for envelope, sha256 in usable}

    def learn(self, server_round: int, parts: StoredSets) -> tuple[ArrayRecord, MetricRecord]:
        """Merge the sets of a round, by client in the order of merging, and train on them."""
        started = time.monotonic()
        found = self._learn(server_round, parts)
        self.side.tally.seconds_train = time.monotonic() - started
        return found

    def _learn(self, server_round: int, parts: StoredSets) -> tuple[ArrayRecord, MetricRecord]:
        merged = self.merge(server_round, parts)
        return self._train(server_round, merged), MetricRecord({"rows": len(merged)})

    def merge(self, server_round: int, parts: StoredSets) -> SyntheticSet:
        """Return the merged set after a round, whose own sets are `parts`."""
        side = self.side
        self.pool = pool_of(parts, side, server_round)
        side.merged = None  # no need for two merged sets at a time
        rng = stream(side.cfg.seed, "merge", server_round)
        each = LazySets([partial(one.load, side) for one in self.pool])
        owners = [one.client for one in self.pool]
        bounded = bound_shares(each, side.cfg.scoring.quota, owners=owners)
        if side.cfg.evaluation.precision:  # else no need to read all sets once more
            side.claimed = claimed_counts(bounded)
        there = each_moved(bounded, side.device)
        aged = AgedSets(there, [one.factor for one in self.pool])
        merged = self.merger.merge(aged, rng=rng)
        side.merged = on_host(under_prior(merged, side.plan.prior))
        side.sources = tuple(one.source for one in self.pool)
        return side.merged

    def _rules(self, server_round: int, staged: Staging) -> Rules[Any, str]:
        """Return what a reply of the round must be; its set goes to disk, and its hash stays."""
        cfg, plan = settings_of_round(self.side.cfg.distiller, server_round), self.side.plan
        bounds, packing = SetRules.of(cfg, plan), packing_of(cfg, plan.feature_shape, self.codec)

        def decode(content: RecordDict) -> SyntheticSet:
            part = read_set(arrays_of(content), self.codec, plan, max_bytes=bounds.max_bytes)
            check_kind(part, plan)
            bounds.check_rows(part)
            unpacked = packing.unpack(part)
            # again: the values of a packed image are sums over its row
            check_kind(unpacked, plan)
            return unpacked

        return Rules(
            nonce=plan.nonce,
            round=server_round,
            max_bytes=bounds.max_bytes,
            decode=decode,
            keep=staged.add,
            identity=str,
        )

    def _train(self, server_round: int, merged: SyntheticSet) -> ArrayRecord:
        side, merged = self.side, moved(merged, self.side.device)
        model = side.new_model(server_round)
        if side.cfg.training.start == "warm" and server_round > 1:
            model.load_state_dict(self.arrays.to_torch_state_dict())
        training, teacher = lesson(side, merged, server_round)
        rng = stream(side.cfg.seed, "train", server_round)
        train_on(
            merged,
            model,
            training,
            rng=rng,
            teacher=teacher,
            progress=say_steps(f"round {server_round}: training on {many(len(merged), 'row')}"),
            beside=self._loss_beside(server_round, merged),
            fresh=self.fresh,
        )
        return ArrayRecord(model.state_dict())

    def _loss_beside(
        self, server_round: int, merged: SyntheticSet
    ) -> Callable[[nn.Module], Tensor] | None:
        """Return a term that the model's training has beside the cross-entropy."""
        return None
