"""FedLGD: averages models trained on virtual data, with global virtual data for all."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg
from torch import Tensor

from fdd_flower.client.distil import distilled_set, peers_codec, read_peers
from fdd_flower.client.side import ClientSide
from fdd_flower.client.warm_start import OwnSet
from fdd_flower.config import Config, DistillerConfig
from fdd_flower.device import moved, on_host
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import ConfigError
from fdd_flower.methods._virtual_data import noise_rows, rows_of_step, train_beside
from fdd_flower.methods.base import STRATEGIES, Method
from fdd_flower.models.base import Network
from fdd_flower.rng import stream
from fdd_flower.server.averaging import guarded
from fdd_flower.server.checks import refuse_changed
from fdd_flower.server.side import ServerSide
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.records import PEERS, set_record

VIRTUAL = "virtual"  # what the server carries from round to round
# Passes over virtual data for one of `local.epochs`. It has few rows: with a single pass a client
# takes two steps a round, and learns slowly (benchmarks/results/federated.md).
PASSES = 10
# A client's virtual data stays with it, and is matched under the global model: nothing is packed,
# coded, softened or counted in bytes.
DECIDED = (
    "bytes", "codec_aware", "embedder", "labels", "packing", "peers",
)  # fmt: skip


def updates(cfg: Config, server_round: int) -> bool:
    """Tell whether virtual data is renewed in a round, as in the first and each `every` after."""
    return (server_round - 1) % cfg.fedlgd.every == 0


class LocalGlobal(FedAvg):
    """FedLGD (TMLR 2024, arXiv:2303.02278): averaged models, and rows that have their gradient.

    A client matches its virtual data to its records under the global model, again every
    `fedlgd.every` rounds, and trains the model on it and on the global virtual data. The server
    averages, and fits the global virtual data to the step that the average took. The paper
    compares it with FedAvg on the clients' first virtual data: `fedlgd.ipc` 0, and `fedlgd.every`
    above the rounds.

    Differs from the paper and https://github.com/ubc-tea/FedLGD:

    - as in that code the gradient is the difference of the weights, so that clients send no other;
      there is no pull of local to global virtual data, which the code leaves out as well;
    - a client passes over its virtual data `PASSES` times for each of `local.epochs`: there it was
      once, 19 steps in each of 100 rounds;
    - the contrastive term is there in every round that has global virtual data, not only in those
      in which none is renewed, and the update is as often as long as the run lasts;
    - global rows start from noise and not from the clients' class statistics, which then need
      not be sent; they are found by Adam with a cosine schedule, and travel in eight bits;
    - local rows are those of the distiller, from k-means centres by default and with `dm`'s
      moments, under the rules of `distiller.min-records`. There, `distiller.ipc` was 50 and
      `distiller.networks` 1: further ones are perturbed copies of the global model.
    """

    side: ServerSide
    before: ArrayRecord | None = None
    rows: Tensor | None = None  # the global virtual data, once there is some

    def state(self) -> dict[str, Tensor]:
        """Return the global virtual data."""
        return {} if self.rows is None else {VIRTUAL: self.rows}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up the global virtual data."""
        self.rows = state.get(VIRTUAL)
        if self.rows is not None:
            self.side.merged = self._virtual()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Send the model and, once there is one, the global virtual data."""
        self.before = arrays
        messages = list(super().configure_train(server_round, arrays, config, grid))
        if self.rows is not None:
            rows = set_record(self._virtual(), peers_codec())
            for message in messages:  # of one content, so that its size is counted once
                message.content[PEERS] = rows
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average, and every so often fit the global virtual data to the step of the average."""
        arrays, metrics = super().aggregate_train(server_round, replies)
        cfg = self.side.cfg
        if arrays is not None and cfg.fedlgd.ipc and updates(cfg, server_round):
            started = time.monotonic()
            self._renew(arrays)
            self.side.tally.seconds_train = time.monotonic() - started
        return arrays, metrics

    def _virtual(self) -> SyntheticSet:
        """Return the global virtual data; noise where there is none yet."""
        cfg, plan = self.side.cfg, self.side.plan
        rng = stream(cfg.seed, "virtual")
        rows = noise_rows(plan.feature_shape, len(plan.classes), cfg.fedlgd.ipc, rng=rng)
        return rows if self.rows is None else replace(rows, inputs=self.rows)

    def _renew(self, after: ArrayRecord) -> None:
        assert self.before is not None  # a round is configured first
        old, new = self.before.to_torch_state_dict(), after.to_torch_state_dict()
        model = self.side.new_model()
        model.load_state_dict(old)
        step: list[Tensor] = [old[name] - new[name] for name, _ in model.named_parameters()]
        begin, step = moved((self._virtual(), step), self.side.device)
        rows = on_host(rows_of_step(begin, model, step))
        self.rows, self.side.merged = rows.inputs, rows


def client(side: ClientSide) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Train the global model on virtual data, and return its parameters.

    Raises
    ------
    FddError
        If the client has no class to distil, or a loss stops being finite.
    """
    cfg, own = side.cfg, side.cfg.fedlgd
    anchors = None if side.peers is None else read_peers(side.peers, side.plan)
    virtual = None if updates(cfg, side.plan.round) else OwnSet(side).recall(side.plan)
    if virtual is None:
        by_model = replace(cfg.distiller, embedder="global", packing=1)
        virtual = distilled_set(replace(side, cfg=replace(cfg, distiller=by_model))).synthetic
    virtual, anchors = moved((virtual, anchors), side.data.inputs.device)
    model = side.global_model()
    rng = stream(cfg.seed, "local", side.client, side.plan.round)
    passes = replace(cfg.local, epochs=PASSES * cfg.local.epochs)
    train_beside(virtual, anchors, model, passes, weight=own.weight, rng=rng)
    # each client counts alike, as published
    return ArrayRecord(model.state_dict()), {"num-examples": 1}


def check(cfg: Config, plan: Plan, model: Network) -> None:
    """Check that no setting is changed which this method decides, or has no use for.

    Raises
    ------
    ConfigError
        If one is.
    """
    if not cfg.fedlgd.ipc:
        refuse_changed(cfg, ("fedlgd.weight",), "fedlgd.ipc=0")
    default = DistillerConfig()
    for name in DECIDED:
        value, usual = getattr(cfg.distiller, name), getattr(default, name)
        if value not in (usual, "global" if name == "embedder" else usual):
            raise ConfigError(
                f"distiller.{name.replace('_', '-')}",
                expected=f"{usual!r} with strategy.name=fedlgd",
                got=repr(value),
                remedy="Leave it out: rows stay with the client, under the global model.",
            )


STRATEGIES.register("fedlgd")(
    Method(
        server=lambda side: guarded(LocalGlobal, side),
        client=client,
        distils=False,
        condenses=True,
        uses=(),
        check=check,
    )
)
