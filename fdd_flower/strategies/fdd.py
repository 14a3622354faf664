"""Federated dataset distillation: clients send synthetic sets, the server trains on them."""

from __future__ import annotations

import time
from collections.abc import Iterable

from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.mergers.base import MERGERS
from fdd_flower.rng import stream
from fdd_flower.strategies._grid import wait_for_nodes
from fdd_flower.strategies._log import say
from fdd_flower.strategies._replies import arrays_of, screen
from fdd_flower.strategies._warm_start import recall, remember
from fdd_flower.strategies.base import STRATEGIES, ClientSide, Method, ServerSide
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training import train_on
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.records import ARRAYS, CONFIG, read_set, set_record

HEADROOM = 4096  # bytes of NPY headers and ranges beside the rows themselves


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
        self.arrays = ArrayRecord()

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
        self.arrays = arrays
        config["server-round"] = server_round
        content = RecordDict({ARRAYS: arrays, CONFIG: config})
        return [Message(content, node, MessageType.TRAIN) for node in nodes]

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord, MetricRecord]:
        """Judge the replies, keep the good ones, merge them and train on the merged set.

        Raises
        ------
        QuorumError
            If too few replies are usable.
        """
        side = self.side
        usable = screen(replies, server_round=server_round, side=side, judge=self._judge)
        sizes = {v.client: v.num_bytes for v in side.tally.verdicts if v.accepted}
        for envelope, part in usable:
            side.ledger.record(
                part, client=envelope.client, round=server_round, plan=side.plan.nonce,
                num_bytes=sizes[envelope.client],
            )  # fmt: skip
        rng = stream(side.cfg.seed, "merge", server_round)
        side.merged = self.merger.merge([part for _, part in usable], rng=rng)
        arrays = self._train(server_round, side.merged)
        metrics = MetricRecord({"rows": len(side.merged), "seconds": side.tally.seconds_train})
        return arrays, metrics

    def _judge(self, content: RecordDict) -> SyntheticSet:
        plan, ipc = self.side.plan, self.side.cfg.distiller.ipc
        values = 1
        for size in plan.feature_shape:
            values *= size
        rows = ipc * len(plan.classes)
        limit = HEADROOM + 4 * rows * (values + len(plan.classes) + 1) + 16 * values
        return read_set(arrays_of(content), self.codec, plan, max_bytes=limit)

    def _train(self, server_round: int, merged: SyntheticSet) -> ArrayRecord:
        side, started = self.side, time.monotonic()
        model = side.new_model(server_round)
        if side.cfg.training.start == "warm" and server_round > 1:
            model.load_state_dict(self.arrays.to_torch_state_dict())
        tenth = max(1, side.cfg.training.steps // 4)

        def progress(done: int, total: int) -> None:
            if done % tenth == 0:
                say(f"round {server_round}: training on {len(merged)} rows, step {done}/{total}")

        rng = stream(side.cfg.seed, "train", server_round)
        train_on(merged, model, side.cfg.training, rng=rng, progress=progress)
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
    """Distil the client's data, going on from its earlier set where it has one."""
    distiller = DISTILLERS.get(side.cfg.distiller.name)(side.cfg.distiller)
    codec = CODECS.get(side.cfg.codec.name)(side.cfg.codec)
    rng = stream(side.cfg.seed, "client", side.client, side.plan.round)
    start = recall(side.context, side.plan)
    distilled = distiller.distill(side.data, plan=side.plan, start=start, rng=rng)
    if distilled.withheld:
        say(
            f"client {side.client}: {len(distilled.withheld)} classes have fewer than "
            f"{side.cfg.distiller.min_records} records and are withheld"
        )
    record = set_record(distilled.synthetic, codec)
    remember(side.context, distilled.synthetic)
    return record, {}


STRATEGIES.register("fdd")(Method(server=FederatedDistillation, client=distil, distils=True))
