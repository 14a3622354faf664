"""SCAFFOLD (arXiv:1910.06378): each local step is corrected by the mean gradient of all clients.

Client i keeps a control variate c_i, the mean gradient of its last round, and the server c, the
mean of them. A local step goes along g + c - c_i, so that clients with different records do not
drift apart. New variates come from the way that was gone (option II):
c_i' = c_i - c + (x - y_i) / (K lr), for x at the start and y_i after K steps.

What differs from the paper:

- The means over clients are weighted by records, as FedAvg's are. With c = 0 and all c_i = 0 it is
  FedAvg.
- Momentum: the shift goes into it with the gradient, and K is the count of gradients that the steps
  add up to (`sum_of_weights`), so that c_i stays a mean of gradients. Flower's niid_bench adds the
  shift beside the momentum and divides by the steps, so that its c_i is up to 1 / (1 - momentum)
  times that; without momentum the two are one.
- Variates start at zero, as the paper advises, and running statistics have none.
- A client that the server did not hear, or refused, still has its new c_i, and c lacks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Strategy
from torch import Tensor

from fdd_flower.client.averaging import local_steps, sum_of_weights
from fdd_flower.client.memory import Memory
from fdd_flower.client.side import ClientSide
from fdd_flower.device import moved
from fdd_flower.errors import FddError
from fdd_flower.methods.base import STRATEGIES, Method
from fdd_flower.rng import stream
from fdd_flower.server.averaging import guarded
from fdd_flower.server.sampling import Sampler
from fdd_flower.server.side import ServerSide
from fdd_flower.training.local import train_locally
from fdd_flower.wire.records import COUNT

# Before a parameter's name, among the arrays of both messages: c on the way down, c_i' - c_i up.
VARIATE = "variate/"


class Scaffold(FedAvg):
    """FedAvg that carries the server's control variate c.

    Parameters
    ----------
    parameters
        The model's parameters by name.
    """

    sampler: Sampler

    def __init__(self, *, parameters: Mapping[str, Tensor], **options: Any) -> None:
        super().__init__(**options)
        self.variate = {name: np.zeros(p.shape, np.float32) for name, p in parameters.items()}

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Send c with the model."""
        variate = {f"{VARIATE}{name}": Array(value) for name, value in self.variate.items()}
        sent = ArrayRecord({**arrays, **variate})
        return super().configure_train(server_round, sent, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average the models; move c by the mean change of the share of clients that replied."""
        replies = list(replies)
        arrays, metrics = super().aggregate_train(server_round, replies)
        if arrays is not None:
            share = np.float32(len(replies) / self.sampler.connected)
            for name in self.variate:
                self.variate[name] += share * arrays.pop(f"{VARIATE}{name}").numpy()
        return arrays, metrics

    def state(self) -> dict[str, Tensor]:
        """Return c."""
        return {name: torch.from_numpy(value) for name, value in self.variate.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up c."""
        self.variate = {name: state[name].numpy() for name in self.variate}


def shifted_client(side: ClientSide) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Train with the shift c - c_i; return the model and the change of c_i.

    Raises
    ------
    FddError
        If the loss, or the new variate, is not finite: the old one then stays.
    """
    cfg, arrays = side.cfg.local, dict(side.arrays)
    model = replace(
        side,
        arrays=ArrayRecord(
            {name: array for name, array in arrays.items() if not name.startswith(VARIATE)}
        ),
    ).global_model()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    common = {name: torch.from_numpy(arrays[f"{VARIATE}{name}"].numpy().copy()) for name in before}
    memory = Memory(side, "fdd-control-variate")
    own = memory.recall() or {name: torch.zeros_like(p) for name, p in before.items()}
    common, own = moved((common, own), side.data.inputs.device)
    rng = stream(side.cfg.seed, "local", side.client, side.plan.round)
    shift = [common[name] - own[name] for name in before]
    train_locally(side.data, model, cfg, rng=rng, shift=shift)
    steps = sum_of_weights(local_steps(len(side.data), cfg), cfg.momentum)
    new = {
        name: own[name] - common[name] + (before[name] - p.detach()) / (cfg.learning_rate * steps)
        for name, p in model.named_parameters()
    }
    if not all(bool(torch.isfinite(value).all()) for value in new.values()):
        raise FddError(
            "control variate",
            expected="finite numbers",
            got="NaN or infinity",
            remedy=f"Lower local.learning-rate (now {cfg.learning_rate:g}).",
        )
    memory.remember(new)
    change = {f"{VARIATE}{name}": new[name] - own[name] for name in new}
    return ArrayRecord({**model.state_dict(), **change}), {COUNT: len(side.data)}


def _server(side: ServerSide) -> Strategy:
    return guarded(Scaffold, side, parameters=dict(side.new_model().named_parameters()))


STRATEGIES.register("scaffold")(
    Method(server=_server, client=shifted_client, distils=False, uses=())
)
