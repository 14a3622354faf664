"""A network near the global model: its weights and a share of noise."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def resample(network: nn.Module, keep: float, *, rng: torch.Generator) -> None:
    """Replace `network`'s weights w in place by keep * w + (1 - keep) * noise.

    The noise of a tensor is Gaussian, with the tensor's own root mean square.
    """
    for weight in network.parameters():
        scale = weight.square().mean().sqrt()
        noise = scale * torch.randn(weight.shape, generator=rng).to(weight.device)
        weight.copy_(keep * weight + (1 - keep) * noise)
