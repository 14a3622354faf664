"""Train a model on a synthetic set, or on a client's own records; evaluate it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fdd_flower import augment
from fdd_flower.config import LocalConfig, TrainingConfig
from fdd_flower.data.base import Split
from fdd_flower.errors import FddError
from fdd_flower.optimisers import Sgd
from fdd_flower.ridge.teacher import RidgeTeacher
from fdd_flower.rng import fork
from fdd_flower.synthetic_set import SyntheticSet

Progress = Callable[[int, int], None]  # (steps done, steps in all)
Teacher = Callable[[Tensor], Tensor]  # from inputs (n, *feature_shape) to probabilities (n, k)


@dataclass(frozen=True, slots=True)
class NetworkTeacher:
    """What a trained network says: knowledge distillation (arXiv:1503.02531)."""

    network: nn.Module

    @torch.no_grad()
    def __call__(self, inputs: Tensor) -> Tensor:
        """Return class probabilities (n, k) of inputs (n, *feature_shape)."""
        return self.network(inputs).softmax(dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How a model does on a split: shares and nats, from 0."""

    accuracy: float
    loss: float
    accuracy_per_class: tuple[float, ...]  # nan: the split has no record of the class


def train_on(
    synthetic: SyntheticSet,
    model: nn.Module,
    cfg: TrainingConfig,
    *,
    rng: torch.Generator,
    progress: Progress | None = None,
    teacher: Teacher | None = None,
    beside: Callable[[nn.Module], Tensor] | None = None,
) -> None:
    """Train `model` in place on `synthetic`.

    Rows are drawn in proportion to their weights, warped (images, by choice), blended by
    mixup or cutmix except in the last `training.clean-steps`, blurred by noise (tables), and
    fitted with soft-target cross-entropy by AdamW under a cosine schedule; the model ends with
    the exponential average of its weights. A share `training.teacher` of each target is what
    `teacher` says or, where there is none, a kernel model of the set (`RidgeTeacher`).

    Parameters
    ----------
    beside
        A term of a method's own, added to the loss of each step.

    Raises
    ------
    FddError
        If the loss stops being finite.
    """
    inputs, targets, weights = synthetic.inputs, synthetic.targets, synthetic.weights
    image = cfg.augment and augment.is_image(synthetic.feature_shape)
    if not cfg.teacher:
        teacher = None
    elif teacher is None:
        teacher = RidgeTeacher.of(synthetic, seed=fork(rng))
    # An average over more steps than there are would still hold the random start.
    decay = min(cfg.averaging, 1 - 10 / (cfg.steps + 10))
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
    adam = torch.optim.AdamW(
        model.parameters(), lr=cfg.learning_rate, weight_decay=cfg.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, cfg.steps)
    blended = round((1 - cfg.clean_steps) * cfg.steps)
    model.train()
    for step in range(cfg.steps):
        pick = torch.multinomial(weights, cfg.batch_size, replacement=True, generator=rng)
        x, y = inputs[pick], targets[pick]
        if image:
            x = augment.warp(x, augment.affine_maps(len(x), *x.shape[2:], rng=rng))
        if step < blended:
            x, y = blend(x, y, cfg, rng=rng)
        if cfg.noise and x.ndim == 2:
            # Mixup between a few rows teaches only the lines between them.
            x = x + cfg.noise * torch.randn(x.shape, generator=rng)
        if teacher is not None:
            y = torch.lerp(y, teacher(x), cfg.teacher)
        loss = F.cross_entropy(model(x), y)
        if beside is not None:
            loss = loss + beside(model)
        _require_finite(loss, step, "training.learning-rate", cfg.learning_rate)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        schedule.step()
        if cfg.averaging:
            average.update_parameters(model)
        if progress is not None:
            progress(step + 1, cfg.steps)
    if cfg.averaging:
        model.load_state_dict(average.module.state_dict())


def blend(
    x: Tensor, y: Tensor, cfg: TrainingConfig, *, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Blend a batch by mixup or, for a `cutmix` share of the batches of images, by cutmix."""
    image = augment.is_image(tuple(x.shape[1:]))
    if image and cfg.cutmix > 0 and float(torch.rand((), generator=rng)) < cfg.cutmix:
        return cutmix(x, y, rng=rng)
    return mixup(x, y, cfg.mixup, rng=rng)


def cutmix(x: Tensor, y: Tensor, *, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Put a rectangle of another image (n, c, h, w) into each, of a uniform share of its area.

    CutMix, arXiv:1905.04899; targets are mixed by the area that was replaced.
    """
    n, _, height, width = x.shape
    area, centre_y, centre_x = torch.rand(3, n, 1, 1, generator=rng)
    side = area.sqrt() / 2
    rows = (torch.arange(height).view(1, -1, 1) + 0.5) / height
    columns = (torch.arange(width).view(1, 1, -1) + 0.5) / width
    inside = ((rows - centre_y).abs() < side) & ((columns - centre_x).abs() < side)  # (n, h, w)
    other = torch.randperm(n, generator=rng)
    kept = 1 - inside.float().mean(dim=(1, 2))[:, None]
    return torch.where(inside[:, None], x[other], x), kept * y + (1 - kept) * y[other]


def mixup(x: Tensor, y: Tensor, alpha: float, *, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blend each row with another one of the batch, a share of Beta(alpha, alpha) each.

    mixup, arXiv:1710.09412.
    """
    if alpha == 0:
        return x, y
    # torch's own Beta takes no generator.
    beta = np.random.default_rng(fork(rng)).beta(alpha, alpha, size=len(x))
    share = torch.from_numpy(beta).float()
    other = torch.randperm(len(x), generator=rng)
    share_x = share.view(-1, *[1] * (x.ndim - 1))
    return (
        share_x * x + (1 - share_x) * x[other],
        share[:, None] * y + (1 - share[:, None]) * y[other],
    )


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
        order = torch.randperm(len(split), generator=rng)
        for step, batch in enumerate(order.split(cfg.batch_size)):
            loss = F.cross_entropy(model(split.inputs[batch]), split.labels[batch])
            _require_finite(loss, step, "local.learning-rate", cfg.learning_rate)
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


@torch.no_grad()
def evaluate(model: nn.Module, split: Split, *, batch_size: int = 128) -> Evaluation:
    """Return accuracy, mean cross-entropy and accuracy a class of `model` on `split`."""
    model.eval()
    logits = torch.cat([model(batch) for batch in split.inputs.split(batch_size)])
    right = (logits.argmax(dim=1) == split.labels).double()
    held = [split.labels == label for label in range(len(split.classes))]
    return Evaluation(
        accuracy=float(right.mean()),
        loss=float(F.cross_entropy(logits, split.labels)),
        accuracy_per_class=tuple(float(right[h].mean()) for h in held),
    )


def _require_finite(loss: Tensor, step: int, key: str, value: float) -> None:
    if not bool(torch.isfinite(loss)):
        raise FddError(
            f"training loss at step {step}", expected="a finite number",
            got=float(loss.detach()), remedy=f"Lower {key} (now {value:g}).",
        )  # fmt: skip
