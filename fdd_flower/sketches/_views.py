"""The seeded networks of a round: the same on every client and on the server."""

from __future__ import annotations

from dataclasses import replace

import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.device import device_of
from fdd_flower.distillers.base import Plan
from fdd_flower.distillers.parts.views import View, embed, random_views
from fdd_flower.rng import derive


def seeded_views(distiller: DistillerConfig, plan: Plan, *, device: torch.device) -> list[View]:
    """Return `distiller.networks` networks on `device`, drawn again for each round."""
    seed = derive(plan.seed, "sketch", plan.round)
    return random_views(distiller, replace(plan, seed=seed), device=device)


def width(view: View, plan: Plan) -> int:
    """Return how many features `view` has."""
    blank = torch.zeros(1, *plan.feature_shape, device=device_of(view.network))
    return embed(view, blank).shape[1]
