"""Clients that send random sets, each made when its reply is collected."""

from __future__ import annotations

from functools import cached_property

import torch
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from fdd_flower.bench.load.settings import SHAPE, Load
from fdd_flower.distillers.base import Plan
from fdd_flower.rng import derive, stream
from fdd_flower.schema import Normalisation
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import array_bytes, build_codec
from fdd_flower.wire.records import Envelope, reply, set_record

CLASSES = 10  # as Fashion-MNIST has
PROBES = 10, 60  # rows of two sets whose sizes tell the bytes of a row


class Traffic:
    """The clients of one round, and the plan that they answer."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.codec = build_codec(load.cfg.codec, SHAPE)
        self.plan = Plan(
            round=1,
            seed=derive(load.cfg.seed, "plan"),
            nonce=f"{derive(load.cfg.seed, 'nonce'):016x}",
            classes=tuple(str(label) for label in range(CLASSES)),
            feature_shape=SHAPE,
            normalisation=Normalisation(mean=(0.0,), std=(1.0,)),
        )

    @cached_property
    def rows(self) -> int:
        """How many rows a client's set has, so that its reply has the bytes that were asked for."""
        few, many = PROBES
        small, large = (array_bytes(self.codec.encode(self.set_of(0, n))) for n in PROBES)
        of_a_row = (large - small) / (many - few)
        return max(1, round(few + (1000 * self.load.kilobytes - small) / of_a_row))

    def set_of(self, client: int, rows: int) -> SyntheticSet:
        """Return the set of a client: noise under labels that take turns."""
        rng = stream(self.load.cfg.seed, "load", client)
        return SyntheticSet(
            inputs=torch.randn(rows, *SHAPE, generator=rng),
            targets=torch.eye(CLASSES)[torch.arange(rows) % CLASSES],
            weights=1 + 99 * torch.rand(rows, generator=rng),
        )

    def app(self) -> ClientApp:
        """Return the ClientApp of all clients."""
        app = ClientApp()

        @app.train()
        def train(message: Message, context: Context) -> Message:
            client = int(context.node_config["partition-id"])
            envelope = Envelope(client=str(client), nonce=self.plan.nonce, round=1, seconds=0.0)
            record = set_record(self.set_of(client, self.rows), self.codec)
            return Message(reply(record, envelope, {}), reply_to=message)

        return app
