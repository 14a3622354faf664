"""Frozen embedders with a fixed augmentation each, and class statistics under them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fdd_flower.config import DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.device import HOST
from fdd_flower.distillers.base import Plan
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.distillers.parts.trained import build_embedder, frozen, train_embedder
from fdd_flower.models.base import Network
from fdd_flower.rng import derive, stream
from fdd_flower.schema import is_image
from fdd_flower.training import augment

TILE = 64  # records embedded at once: a tile of activations that stays in cache
MARKS = 4  # snapshots of one training run
PERTURBATION = 5.0  # length of the random step from the global model; not measured


@dataclass(frozen=True, slots=True)
class View:
    """One frozen network and, for images by choice, one random affine map before it."""

    network: Network
    affine: Tensor | None  # (1, 2, 3)

    def embed(self, inputs: Tensor) -> Tensor:
        """Return features (n, d) of inputs (n, *feature_shape)."""
        if self.affine is not None:
            inputs = augment.warp(inputs, self.affine)
        return self.network.features(inputs)


def embedding_views(
    cfg: DistillerConfig, plan: Plan, data: Split, *, seed: int, clock: Clock
) -> list[View]:
    """Return the views that `distiller.embedder` asks for, at least one.

    On one class nothing can be trained: seeded networks then stand for trained ones.

    Parameters
    ----------
    data
        Records of the classes that may be distilled, and no others.
    seed
        Of what the client draws for itself; seeded networks come from the plan's public seed.
    """
    device = data.inputs.device
    if cfg.embedder == "global":
        copies = [_perturbed(cfg, plan, i) for i in range(cfg.networks)]
        return [_view(network, cfg, plan, i, device) for i, network in enumerate(copies)]
    if cfg.embedder == "trained" and len(data.labels.unique()) > 1:
        networks = _trajectories(cfg, data, seed=seed, clock=clock)
        return [_view(network, cfg, plan, i, device) for i, network in enumerate(networks)]
    return random_views(cfg, plan, device=device)


def random_views(cfg: DistillerConfig, plan: Plan, *, device: torch.device = HOST) -> list[View]:
    """Return `distiller.networks` seeded views: the same on every client and on the server."""
    return [random_view(cfg, plan, index, device=device) for index in range(cfg.networks)]


def random_view(
    cfg: DistillerConfig, plan: Plan, index: int, *, device: torch.device = HOST
) -> View:
    """Return seeded view `index` of the plan, for inputs on `device`."""
    seed = derive(plan.seed, "view", index)
    network = build_embedder(cfg, plan.feature_shape, 2, seed=seed, index=index)
    return _view(frozen(network), cfg, plan, index, device)


def _view(
    network: Network, cfg: DistillerConfig, plan: Plan, index: int, device: torch.device
) -> View:
    affine = None
    if cfg.augment and is_image(plan.feature_shape):
        rng = stream(plan.seed, "view-affine", index)
        affine = augment.affine_maps(1, *plan.feature_shape[1:], rng=rng).to(device)
    return View(network.to(device), affine)


def _perturbed(cfg: DistillerConfig, plan: Plan, index: int) -> Network:
    """Return the global model (index 0), or it after a random step of length `PERTURBATION`.

    FedDM (arXiv:2207.09653) draws from a Gaussian truncated to a ball around the global weights;
    here the step has the ball's radius, where nearly all of a high-dimensional ball's volume is.
    Under `plan.guidance` all copies are resampled, as in FedAF (arXiv:2404.18962).
    """
    assert plan.model is not None  # checked before work starts
    network = frozen(plan.model)
    rng = stream(plan.seed, "perturbation", plan.round, index)
    if plan.guidance is not None:
        resample(network, plan.guidance.keep, rng=rng)
    elif index:
        weights = torch.nn.utils.parameters_to_vector(network.parameters())
        step = torch.randn(weights.shape, generator=rng).to(weights.device)
        weights = weights + PERTURBATION * step / step.norm()
        torch.nn.utils.vector_to_parameters(weights, network.parameters())
    return network


def _trajectories(cfg: DistillerConfig, data: Split, *, seed: int, clock: Clock) -> list[Network]:
    """Return `networks` snapshots along training runs of `MARKS` snapshots each.

    Marks are spaced by factors, as networks change most at first. IDM (arXiv:2307.09742) keeps
    such a queue of partly trained networks.
    """
    networks: list[Network] = []
    marks = tuple(sorted({max(1, cfg.embedder_steps // 3**k) for k in range(MARKS)}))
    run = 0
    while len(networks) < cfg.networks and clock.may_prepare(run, 0.0):
        wanted = marks[-(cfg.networks - len(networks)) :]
        networks += train_embedder(
            cfg, data, marks=wanted, seed=derive(seed, "embedder", run), clock=clock, index=run
        )
        run += 1
    return networks


@torch.no_grad()
def embed(view: View, inputs: Tensor) -> Tensor:
    """Return the features (n, d) of all of `inputs`, embedded a tile at a time."""
    return torch.cat([view.embed(tile) for tile in inputs.split(TILE)])


@torch.no_grad()
def resample(network: nn.Module, keep: float, *, rng: torch.Generator) -> None:
    """Replace `network`'s weights w in place by keep * w + (1 - keep) * noise.

    The noise of a tensor is Gaussian, with the tensor's own root mean square.
    """
    for weight in network.parameters():
        scale = weight.square().mean().sqrt()
        noise = scale * torch.randn(weight.shape, generator=rng).to(weight.device)
        weight.copy_(keep * weight + (1 - keep) * noise)
