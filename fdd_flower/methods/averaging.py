"""Flower's own strategies that average parameters, behind this project's checks.

FedAvg (arXiv:1602.05629), FedProx (arXiv:1812.06127), FedAvgM (arXiv:1909.06335), FedAdam and
FedYogi (arXiv:2003.00295), the coordinate-wise median and trimmed mean (arXiv:1803.01498), Krum and
multi-Krum (arXiv:1703.02757), and Bulyan (arXiv:1802.07927).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from flwr.app import ArrayRecord, ConfigRecord, Message
from flwr.serverapp import Grid
from flwr.serverapp.strategy import (
    Bulyan,
    FedAdam,
    FedAvg,
    FedAvgM,
    FedMedian,
    FedProx,
    FedTrimmedAvg,
    FedYogi,
    Krum,
    MultiKrum,
    Strategy,
)
from flwr.serverapp.strategy.fedopt import FedOpt
from torch import Tensor

from fdd_flower.client.averaging import average_client
from fdd_flower.client.side import ClientSide
from fdd_flower.config import StrategyConfig
from fdd_flower.methods.base import STRATEGIES, Method
from fdd_flower.server.averaging import guarded
from fdd_flower.server.side import ServerSide

NAMES: list[str] = []  # what this file registers
MOMENTUM = 0.9  # of FedAvgM's server; one of those that arXiv:1909.06335 compares
TRIMMED = 0.2  # share of the replies that a trimmed mean drops at either end; Flower's default
SELECTED = 2  # updates that multi-Krum averages: the fewest that are not Krum


def _averaging(
    name: str,
    kind: type[FedAvg],
    *,
    client: Callable[[ClientSide], tuple[ArrayRecord, dict[str, int | float]]] = average_client,
    uses: tuple[str, ...] = (),
    options: Callable[[StrategyConfig], Mapping[str, Any]] = lambda cfg: {},
    needs: Callable[[StrategyConfig], int] = lambda cfg: 1,
) -> None:
    """Register one of Flower's strategies as a method; `options` makes those that are its own."""

    def server(side: ServerSide) -> Strategy:
        return guarded(kind, side, **options(side.cfg.strategy))

    STRATEGIES.register(name)(
        Method(server=server, client=client, distils=False, uses=uses, needs=needs)
    )
    NAMES.append(name)


class _Momentum(FedAvgM):
    """FedAvgM that can be resumed after a kill."""

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


class _Moments(FedOpt):
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


class _Adam(_Moments, FedAdam):
    """FedAdam that can be resumed after a kill."""


class _Yogi(_Moments, FedYogi):
    """FedYogi that can be resumed after a kill."""


def _step_size(cfg: StrategyConfig) -> dict[str, float]:
    """Return the option of the server's step size; none where the strategy's own is asked for."""
    return {"eta": cfg.server_learning_rate} if cfg.server_learning_rate else {}


def _proximal_client(side: ClientSide) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Train as FedAvg does, held near the global model by `strategy.proximal-mu`."""
    return average_client(side, proximal_mu=side.cfg.strategy.proximal_mu)


_averaging("fedavg", FedAvg)
_averaging(
    "fedprox",
    FedProx,
    client=_proximal_client,
    uses=("proximal_mu",),
    options=lambda cfg: {"proximal_mu": cfg.proximal_mu},
)
_averaging(
    "fedavgm",
    _Momentum,
    uses=("server_learning_rate",),
    options=lambda cfg: {
        "server_learning_rate": cfg.server_learning_rate or 1.0,
        "server_momentum": MOMENTUM,
    },
)
_averaging("fedadam", _Adam, uses=("server_learning_rate",), options=_step_size)
_averaging("fedyogi", _Yogi, uses=("server_learning_rate",), options=_step_size)
_averaging("fedmedian", FedMedian)
_averaging("fedtrimmedavg", FedTrimmedAvg, options=lambda cfg: {"beta": TRIMMED})
_averaging(
    "krum",
    Krum,
    uses=("num_malicious",),
    options=lambda cfg: {"num_malicious_nodes": cfg.num_malicious},
)
_averaging(
    "multikrum",
    MultiKrum,
    uses=("num_malicious",),
    options=lambda cfg: {
        "num_malicious_nodes": cfg.num_malicious,
        "num_nodes_to_select": SELECTED,
    },
)
# Flower skips a round with fewer than 4 f + 3 replies, f hostile ones, and keeps the model as it
# was; here the quorum must be at least that, so that no round passes for one that learned.
_averaging(
    "bulyan",
    Bulyan,
    uses=("num_malicious",),
    options=lambda cfg: {"num_malicious_nodes": cfg.num_malicious},
    needs=lambda cfg: 4 * cfg.num_malicious + 3,
)
