"""Gradient matching on one release: class means of gradients at the start of training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor
from torch.func import functional_call, grad, vmap

from fdd_flower.config import Config
from fdd_flower.device import HOST
from fdd_flower.distillers.base import Plan
from fdd_flower.distillers.parts.trained import build_embedder, frozen
from fdd_flower.models.base import Network
from fdd_flower.releases.base import RELEASES
from fdd_flower.releases.matched import Matched, direction
from fdd_flower.rng import derive

WIDTH = 8  # of the networks: noise grows with the root of their weights, 1,056 for 28x28 pixels


class Gradients(Matched):
    """Sums of per-example gradients of `distiller.networks` random networks that all clients share.

    A network has two outputs, and each record's loss is the cross-entropy of the first one,
    whatever its class. To a network that has seen nothing one output is as good as another, and
    classes are told apart by their blocks; so a gradient does not grow with the number of
    classes. Biases and scales of normalisation are left out, as in the code of DC, and of the
    last layer the second output, whose gradient is that of the first, negated.

    Of each weight's gradient, less that of public noise, the direction counts. Gradient matching
    (DC, arXiv:2006.05929); differs: networks never train, so that one release serves all steps;
    the mean of directions is matched by its squared distance and not by its cosine, for noise
    moves a cosine toward 0.
    """

    uses: ClassVar[tuple[str, ...]] = (*Matched.uses, "distiller.networks", "distiller.depth")

    def __init__(self, cfg: Config, plan: Plan, device: torch.device = HOST) -> None:
        super().__init__(cfg, plan, device)
        narrow = replace(cfg.distiller, width=WIDTH)
        seeds = [derive(plan.seed, "release", index) for index in range(narrow.networks)]
        self.networks = [
            frozen(build_embedder(narrow, plan.feature_shape, 2, seed=seed)).to(device)
            for seed in seeds
        ]
        public = self.public_noise()
        self.centres = [
            [part.mean(dim=0) for part in gradients(network, public)] for network in self.networks
        ]
        self.block = sum(len(centre) for each in self.centres for centre in each) + 1

    @property
    def seeds(self) -> int:
        """Random networks that records are shown to."""
        return len(self.networks)

    def pieces(self, inputs: Tensor) -> Iterator[Tensor]:
        """Yield the directions of gradients, side by side 1 / sqrt(networks) long."""
        for network, centres in zip(self.networks, self.centres, strict=True):
            found = zip(gradients(network, inputs), centres, strict=True)
            parts = [direction(part - centre) for part, centre in found]
            yield torch.cat(parts, dim=1) / math.sqrt(len(parts) * len(self.networks))


def gradients(network: Network, inputs: Tensor) -> list[Tensor]:
    """Return each record's gradient of its cross-entropy to output 0, (n, d) for each weight.

    Weights of one dimension are left out, and all outputs but the first of the last layer.
    """
    fixed = {name: p for name, p in network.named_parameters() if p.ndim == 1}
    weights: dict[str, Tensor] = {n: p for n, p in network.named_parameters() if p.ndim > 1}

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        logits = functional_call(network, {**fixed, **weights}, (x[None],))
        return F.cross_entropy(logits, logits.new_zeros(1, dtype=torch.int64))

    found = vmap(grad(loss), in_dims=(None, 0))(weights, inputs)
    found["head.weight"] = found["head.weight"][:, :1]
    return [part.flatten(1) for part in found.values()]


RELEASES.register("dp-gm")(Gradients)
