"""FedAvg with momentum on the server (arXiv:1909.06335): Flower's, and its momentum in checkpoints.

`strategy.server-learning-rate` is 1 where it is 0.
"""

from collections.abc import Iterable, Mapping

import torch
from flwr.app import ArrayRecord, ConfigRecord, Message
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvgM
from torch import Tensor

from fdd_flower.strategies._averaging import averaging
from fdd_flower.strategies.base import STRATEGIES


class Momentum(FedAvgM):
    """FedAvgM that a killed run can go on with."""

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Start from the model as it is sent, which is the one that a checkpoint holds."""
        self.current_arrays = arrays
        return super().configure_train(server_round, arrays, config, grid)

    def state(self) -> dict[str, Tensor]:
        """Return the momentum, by the place of its parameter in the model."""
        return {str(i): torch.as_tensor(m) for i, m in enumerate(self.momentum_vector or [])}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up the momentum."""
        self.momentum_vector = [state[str(i)].numpy() for i in range(len(state))] or None


STRATEGIES.register("fedavgm")(
    averaging(
        Momentum,
        uses=("server_learning_rate", "server_momentum"),
        options=lambda cfg: {
            "server_learning_rate": cfg.server_learning_rate or 1.0,
            "server_momentum": cfg.server_momentum,
        },
    )
)
