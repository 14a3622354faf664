"""Training on a client's own records, for methods that average parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor, nn

from fdd_flower.config import LocalConfig
from fdd_flower.data.base import Split
from fdd_flower.training.loop import require_finite
from fdd_flower.training.optimisers import Sgd


def train_locally(
    split: Split,
    model: nn.Module,
    cfg: LocalConfig,
    *,
    rng: torch.Generator,
    proximal_mu: float = 0.0,
    shift: Sequence[Tensor] | None = None,
) -> float:
    """Train `model` in place on real records by SGD; return the mean loss of the last epoch.

    With `proximal_mu` > 0 the loss has FedProx's term mu/2 |w - w_global|^2
    (arXiv:1812.06127), w_global being the weights at the start. `shift`, one tensor a parameter,
    is added to the gradient of every step (SCAFFOLD, arXiv:1910.06378).

    Raises
    ------
    FddError
        If the loss stops being finite.
    """
    anchor = [p.detach().clone() for p in model.parameters()]
    sgd = Sgd(model.parameters(), momentum=cfg.momentum)
    model.train()
    mean_loss = 0.0
    for _ in range(cfg.epochs):
        total = 0.0
        order = torch.randperm(len(split), generator=rng).to(split.inputs.device)
        for step, batch in enumerate(order.split(cfg.batch_size)):
            loss = F.cross_entropy(model(split.inputs[batch]), split.labels[batch])
            require_finite(loss, step, "local.learning-rate", cfg.learning_rate)
            total += float(loss.detach()) * len(batch)
            if proximal_mu:
                loss = loss + proximal_mu / 2 * squared_distance(model, anchor)
            sgd.clear()
            loss.backward()
            if shift is not None:
                for weight, extra in zip(model.parameters(), shift, strict=True):
                    assert weight.grad is not None
                    weight.grad += extra
            sgd.step(cfg.learning_rate)
        mean_loss = total / len(split)
    return mean_loss


def squared_distance(model: nn.Module, anchor: list[Tensor]) -> Tensor:
    """Return |w - w_anchor|^2 over all parameters."""
    pairs = zip(model.parameters(), anchor, strict=True)
    return torch.stack([(w - a).square().sum() for w, a in pairs]).sum()
