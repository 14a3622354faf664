"""What FedAdam and FedYogi (arXiv:2003.00295) share: two moments of the clients' mean update."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from flwr.serverapp.strategy.fedopt import FedOpt
from torch import Tensor

from fdd_flower.config import StrategyConfig


class Moments(FedOpt):
    """Flower's, and its moments in checkpoints."""

    def state(self) -> dict[str, Tensor]:
        """Return both moments of every parameter."""
        both = {"m": self.m_t or {}, "v": self.v_t or {}}
        return {
            f"{moment}/{name}": torch.as_tensor(value)
            for moment, values in both.items()
            for name, value in values.items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up the moments."""
        self.m_t, self.v_t = (
            {
                name.removeprefix(f"{moment}/"): value.numpy()
                for name, value in state.items()
                if name.startswith(f"{moment}/")
            }
            for moment in ("m", "v")
        )


def step_size(cfg: StrategyConfig) -> dict[str, float]:
    """Return the option of the server's step size; none where the strategy's own is asked for."""
    return {"eta": cfg.server_learning_rate} if cfg.server_learning_rate else {}
