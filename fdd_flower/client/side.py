"""What the client half of a method works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from flwr.app import ArrayRecord, Context

from fdd_flower.config import Config
from fdd_flower.data.base import Split
from fdd_flower.device import moved, resolve
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import WireError
from fdd_flower.models import build_model
from fdd_flower.models.base import Network


@dataclass(frozen=True, kw_only=True)
class ClientSide:
    """What the client half of a method works with.

    `data` is loaded when it is first asked for: under a private mode the budget is charged before.
    It and the model are on the device of the settings, and so is what is made of them; what
    came in the message, or was remembered, is on the CPU.
    """

    cfg: Config
    plan: Plan
    load: Callable[[], Split]
    client: str
    context: Context
    arrays: ArrayRecord  # the global model; empty where clients have no use for it
    # the other clients' rows of the round before; or their sealed shares of a secure sum
    peers: ArrayRecord | None = None
    logits: ArrayRecord | None = None  # the global class logits of the round before
    basis: ArrayRecord | None = None  # what sums over records are in, in a finishing round

    @cached_property
    def data(self) -> Split:
        """The client's records."""
        return self.load()

    def global_model(self) -> Network:
        """Return the global model with the weights that the server sent.

        Raises
        ------
        WireError
            If it sent none: it believes that no client needs them.
        """
        if not self.arrays:
            raise WireError(
                "plan.arrays",
                expected="the parameters of the global model",
                got="none",
                remedy="Install the same fdd-flower on the server and on every client.",
            )
        model = new_model(self.cfg, self.plan)
        model.load_state_dict(self.arrays.to_torch_state_dict())
        return model


def new_model(cfg: Config, plan: Plan, round_: int = 0) -> Network:
    """Return the run's model with the fresh weights of `round_`, on the device of the settings."""
    model = build_model(
        cfg.model,
        feature_shape=plan.feature_shape,
        num_classes=len(plan.classes),
        seed=cfg.seed + round_,
    )
    return moved(model, resolve(cfg.runtime.device))
