"""The training loop on a synthetic set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor, nn

from fdd_flower.config import TrainingConfig
from fdd_flower.device import on_host
from fdd_flower.errors import FddError
from fdd_flower.rng import fork
from fdd_flower.schema import is_image
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training import augment
from fdd_flower.training.averages import WeightAverage
from fdd_flower.training.blending import blend
from fdd_flower.training.optimisers import Adam
from fdd_flower.training.pace import Pace, Schedule
from fdd_flower.training.teachers import RidgeTeacher, Teacher

WEIGHT_DECAY = 0.01  # decoupled; 0.1 was no better (decision 3)
REDRAWN = 200  # steps on one draw of rows
AVERAGING = 0.99  # decay of the exponential average of weights: over the last hundred steps

Progress = Callable[[int, int], None]  # (steps done, steps in all)


@runtime_checkable
class Fitted(Protocol):
    """A model that is fitted to a set in closed form."""

    def fit(self, synthetic: SyntheticSet) -> None:
        """Set the weights."""
        ...


def train_on(
    synthetic: SyntheticSet,
    model: nn.Module,
    cfg: TrainingConfig,
    *,
    rng: torch.Generator,
    progress: Progress | None = None,
    teacher: Teacher | None = None,
    beside: Callable[[nn.Module], Tensor] | None = None,
    fresh: Callable[[], SyntheticSet] | None = None,
) -> None:
    """Train `model` in place on `synthetic`, which is on the same device.

    Rows are drawn in proportion to their weights, warped or (series) distorted by choice, blended
    by mixup or cutmix except in the last `training.clean-steps`, blurred by noise (tables), and
    fitted with soft-target cross-entropy by AdamW. Where `training.steps` names no number,
    training ends when it has converged (`Schedule`). The model ends with the exponential average
    of its weights. A share `training.teacher` of each target is what
    `teacher` says or, where there is none, a kernel model of the set (`RidgeTeacher`).

    Parameters
    ----------
    beside
        A term of a method's own, added to the loss of each step.
    fresh
        Draws another set of as many rows, every `REDRAWN` steps; None: there is one set.

    Raises
    ------
    FddError
        If the loss stops being finite.
    """
    if isinstance(model, Fitted):
        model.fit(synthetic)
        return
    image = cfg.augment and is_image(synthetic.feature_shape)
    if not cfg.teacher:
        teacher = None
    elif teacher is None:
        teacher = RidgeTeacher.of(synthetic, seed=fork(rng))
    pace = Pace.of(cfg, len(synthetic))
    adam = Adam(model.parameters(), decay=WEIGHT_DECAY, fused=True)
    average = WeightAverage(model, decay=AVERAGING, steps=pace.steps)
    schedule, weights = Schedule(pace), None
    model.train()
    while schedule.step < schedule.end:
        if fresh is not None and schedule.step and schedule.step % REDRAWN == 0:
            synthetic, weights = fresh(), None
        if weights is None:
            weights = on_host(synthetic.weights)
        pick = torch.multinomial(weights, pace.batch_size, replacement=True, generator=rng)
        pick = pick.to(synthetic.inputs.device)
        x, y = synthetic.inputs[pick], synthetic.targets[pick]
        if image:
            maps = augment.affine_maps(
                len(x), *x.shape[2:], rng=rng, shift=cfg.shift, flip=cfg.flip
            )
            x = augment.warp(x, maps)
        if cfg.distort and x.ndim == 3:
            x = augment.distort(x, cfg.distort, rng=rng)
        if schedule.step < round((1 - cfg.clean_steps) * schedule.end):
            x, y = blend(x, y, cfg, rng=rng)
        if cfg.noise and x.ndim == 2:
            # Mixup between a few rows teaches only the lines between them.
            x = x + cfg.noise * torch.randn(x.shape, generator=rng).to(x.device)
        if teacher is not None:
            y = torch.lerp(y, teacher(x), cfg.teacher)
        fit = F.cross_entropy(model(x), y)
        loss = fit if beside is None else fit + beside(model)
        require_finite(loss, schedule.step, "training.learning-rate", pace.learning_rate)
        adam.clear()
        loss.backward()
        adam.step(schedule.rate)
        average.update()
        schedule.took(fit.detach() - torch.special.entr(y).sum(dim=1).mean())
        if progress is not None:
            progress(schedule.step, schedule.end)
    average.give()


def require_finite(loss: Tensor, step: int, key: str, value: float) -> None:
    """Refuse a loss that is not finite; `key` and its `value` are the setting to lower.

    Raises
    ------
    FddError
        If the loss is NaN or infinite.
    """
    if not bool(torch.isfinite(loss)):
        raise FddError(
            f"training loss at step {step}",
            expected="a finite number",
            got=float(loss.detach()),
            remedy=f"Lower {key} (now {value:g}).",
        )
