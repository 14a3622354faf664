"""Federated dataset distillation: clients send synthetic sets, the server trains on them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from fdd_flower.config import CodecConfig, DistillerConfig
from fdd_flower.distillers._options import settings_of_round
from fdd_flower.distillers.base import DISTILLERS, packing_of
from fdd_flower.errors import DistillError
from fdd_flower.ledger import Staging, StoredSets, accepted_entry
from fdd_flower.mergers.base import MERGERS
from fdd_flower.models.base import Network
from fdd_flower.report.saved_set import Source
from fdd_flower.ridge.teacher import RidgeTeacher
from fdd_flower.rng import stream
from fdd_flower.scoring import bound_shares
from fdd_flower.strategies._grid import wait_for_nodes
from fdd_flower.strategies._log import say
from fdd_flower.strategies._names import names_of
from fdd_flower.strategies._replies import arrays_of, screen
from fdd_flower.strategies._set_rules import SetRules, check_kind
from fdd_flower.strategies._trusted import trusted
from fdd_flower.strategies._validator import Rules
from fdd_flower.strategies._warm_start import Memory
from fdd_flower.strategies.base import STRATEGIES, ClientSide, Method, ServerSide
from fdd_flower.synthetic_set import LazySets, SyntheticSet
from fdd_flower.training import train_on
from fdd_flower.wire.codecs.base import CODECS, Codec
from fdd_flower.wire.records import ARRAYS, CONFIG, PEERS, read_set, set_record


class FederatedDistillation(Strategy):
    """Merges the clients' synthetic sets and trains the global model on the merged one.

    Parameters
    ----------
    side
        Settings, plan, ledger and tally of the run.
    """

    def __init__(self, side: ServerSide) -> None:
        self.side = side
        self.codec = CODECS.get(side.cfg.codec.name)(side.cfg.codec)
        self.merger = MERGERS.get(side.cfg.merger.name)(side.cfg.merger)
        self.arrays, self.round = ArrayRecord(), 0
        self.parts: Mapping[str, SyntheticSet] = {}  # of the last round, by client
        self.resumed = False
        self.names: dict[int, str] = {}  # client by node, where a server that resumes had to ask

    def summary(self) -> None:
        """Log the parts of the method."""
        cfg = self.side.cfg
        say(
            f"distiller {cfg.distiller.name} (ipc {cfg.distiller.ipc}), codec {cfg.codec.name}, "
            f"merger {cfg.merger.name}"
        )

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Send the plan and the global model to every connected client."""
        cfg = self.side.cfg.strategy
        nodes = wait_for_nodes(grid, cfg.min_nodes, seconds=cfg.deadline)
        self.arrays, self.round = arrays, server_round
        config["server-round"] = server_round
        if self.resumed and self.side.cfg.distiller.peers:
            # in a new Flower run the nodes have other ids, or restarted ones have
            self.names = names_of(grid, nodes, config, plan=self.side.plan, cfg=cfg)
        self.resumed = False
        shared = RecordDict({ARRAYS: arrays, CONFIG: config})
        messages = []
        # a set is merged once for every other client: all are in memory here
        parts = dict(self.parts) if self.side.cfg.distiller.peers else {}
        for node in nodes:
            others = self._peers_of(node, parts)
            content = shared if others is None else RecordDict({**shared, PEERS: others})
            messages.append(Message(content, node, MessageType.TRAIN))
        return messages

    def resume(self, server_round: int, parts: StoredSets) -> None:
        """Take up the sets of the last round that was done; see `Resumable.resume`."""
        self.resumed = True
        self.merge(server_round, parts)

    def _peers_of(self, node: int, parts: Mapping[str, SyntheticSet]) -> ArrayRecord | None:
        """Return the rows of all clients but the one at `node`, merged."""
        own = self.names.get(node, self.side.client_at.get(node))
        others = [part for client, part in parts.items() if client != own]
        if not others:
            return None
        rng = stream(self.side.cfg.seed, "peers", self.side.plan.nonce)
        return set_record(self.merger.merge(others, rng=rng), peers_codec())

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
        parts = self.side.ledger.sets(self.accepted(server_round, replies))
        return trusted(parts, side=self.side, round_=server_round)

    def accepted(self, server_round: int, replies: Iterable[Message]) -> dict[str, str]:
        """Judge the replies of a round, and return by client the hash of what the ledger has.

        Raises
        ------
        QuorumError
            If too few replies are usable.
        """
        side = self.side
        with side.ledger.staging() as staged:
            usable = screen(replies, side=side, rules=self._rules(server_round, staged))
            sizes = {v.client: v.num_bytes for v in side.tally.verdicts if v.accepted}
            side.ledger.accept(staged, [
                accepted_entry(sha256, e.client, server_round, side.plan.nonce, sizes[e.client])
                for e, sha256 in usable
            ])  # fmt: skip
        return {envelope.client: sha256 for envelope, sha256 in usable}

    def learn(self, server_round: int, parts: StoredSets) -> tuple[ArrayRecord, MetricRecord]:
        """Merge the sets of a round, by client in the order of merging, and train on them."""
        merged = self.merge(server_round, parts)
        arrays = self._train(server_round, merged)
        metrics = MetricRecord({"rows": len(merged), "seconds": self.side.tally.seconds_train})
        return arrays, metrics

    def merge(self, server_round: int, parts: StoredSets) -> SyntheticSet:
        """Return the merged set of a round, by client in the order of merging."""
        self.parts, self.side.merged = parts, None  # no need for two merged sets at a time
        rng = stream(self.side.cfg.seed, "merge", server_round)
        each = LazySets([partial(parts.__getitem__, client) for client in parts])
        bounded = bound_shares(each, self.side.cfg.scoring.quota)
        self.side.merged = self.merger.merge(bounded, rng=rng)
        self.side.sources = tuple(Source(server_round, sha256) for sha256 in parts.hashes.values())
        return self.side.merged

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
            nonce=plan.nonce, round=server_round, max_bytes=bounds.max_bytes, decode=decode,
            keep=staged.add, identity=str,
        )  # fmt: skip

    def _train(
        self, server_round: int, merged: SyntheticSet, teacher: RidgeTeacher | None = None
    ) -> ArrayRecord:
        side, started = self.side, time.monotonic()
        model = side.new_model(server_round)
        if side.cfg.training.start == "warm" and server_round > 1:
            model.load_state_dict(self.arrays.to_torch_state_dict())
        tenth = max(1, side.cfg.training.steps // 4)

        def progress(done: int, total: int) -> None:
            if done % tenth == 0:
                say(f"round {server_round}: training on {len(merged)} rows, step {done}/{total}")

        rng = stream(side.cfg.seed, "train", server_round)
        train_on(
            merged, model, side.cfg.training, rng=rng, progress=progress, teacher=teacher
        )  # fmt: skip
        side.tally.seconds_train = time.monotonic() - started
        return ArrayRecord(model.state_dict())

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask nobody: the server evaluates on its own held-out split."""
        return []

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Return nothing: no client was asked."""
        return None


def distil(side: ClientSide) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Distil the client's data, going on from its earlier set where it has one.

    Raises
    ------
    DistillError
        If the client has no class to distil, or a loss stops being finite: the next round then
        goes on from the last good set.
    """
    cfg = settings_of_round(side.cfg.distiller, side.plan.round)
    codec = CODECS.get(side.cfg.codec.name)(side.cfg.codec)
    plan = replace(side.plan, model=_model(side, cfg), peers=_peers(side, cfg), codec=codec)
    rng = stream(side.cfg.seed, "client", side.client, plan.round)
    memory = Memory(side)
    start = memory.recall(plan)
    try:
        distilled = DISTILLERS.get(cfg.name)(cfg).distill(
            side.data, plan=plan, start=start, rng=rng
        )
    except DistillError as error:
        kept = getattr(error, "kept", None)
        if kept is not None:
            memory.remember(kept)
        raise
    if distilled.withheld:
        say(
            f"client {side.client}: {len(distilled.withheld)} classes have fewer than "
            f"{cfg.min_records} records and are withheld"
        )
    record = set_record(distilled.synthetic, distilled.codec or codec)
    memory.remember(distilled.synthetic)
    return record, {}


def looks_at_others(cfg: DistillerConfig) -> list[str]:
    """Return the settings by which a client's set depends on what others sent before.

    All that a round brings a client of the rounds before is what `_model` and `_peers` give it.
    """
    found = {
        "distiller.peers": cfg.peers,
        "distiller.embedder=global": cfg.embedder == "global",
        "distiller.labels=global": cfg.labels == "global",
    }
    return [name for name, does in found.items() if does]


def _model(side: ClientSide, cfg: DistillerConfig) -> Network | None:
    return side.global_model() if "global" in (cfg.embedder, cfg.labels) else None


def _peers(side: ClientSide, cfg: DistillerConfig) -> SyntheticSet | None:
    if not cfg.peers or side.peers is None:
        return None
    limit = sum(len(array.data) for array in side.peers.values())
    return read_set(side.peers, peers_codec(), side.plan, max_bytes=limit)


def peers_codec() -> Codec:
    """Return the codec of the way down: one that does not lose twice what a lossy one lost."""
    return CODECS.get("uint8")(CodecConfig(name="uint8"))


STRATEGIES.register("fdd")(Method(server=FederatedDistillation, client=distil, distils=True))
