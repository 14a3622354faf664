"""The global model of a run, with the fresh weights of a round."""

from __future__ import annotations

from fdd_flower.config import Config
from fdd_flower.distillers.base import Plan
from fdd_flower.models import build_model
from fdd_flower.models.base import Network


def new_model(cfg: Config, plan: Plan, round_: int = 0) -> Network:
    """Return the run's model with the fresh weights of `round_`."""
    return build_model(
        cfg.model,
        feature_shape=plan.feature_shape,
        num_classes=len(plan.classes),
        seed=cfg.seed + round_,
    )
