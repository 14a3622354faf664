"""Fine-tuning of the global model on a party's own records, and the change of its weights."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from fdd_flower.config import TrainingConfig
from fdd_flower.device import on_host
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.finish._rounding import rounded
from fdd_flower.training.loop import Fitted, train_on
from fdd_flower.training.teachers import NetworkTeacher

# Chosen on held-out training records of Fashion-MNIST (docs/decisions/0014-fine-tuning.md).
EPOCHS, BATCH, RATE = 5, 64, 1e-3
TEACHER = 0.5  # of each target: what the model says that was received
STEP = 1.5  # of the server: how many mean changes it adds
LEVELS = 7  # four bits a weight
LARGEST = 1e4  # step between two codes of a change
TINY = torch.finfo(torch.float32).tiny


def can_be_tuned(model: nn.Module) -> bool:
    """Tell whether `model` is trained by gradients, and not fitted in closed form."""
    return not isinstance(model, Fitted) and any(True for _ in model.parameters())


@dataclass(frozen=True, slots=True)
class Change:
    """What training changed about a model's parameters, in four bits each.

    Attributes
    ----------
    codes
        Of all parameters, one tensor after another, between -7 and 7: int8 (p,).
    steps
        What 1 stands for in each tensor, float32 (t,).
    records
        How many the party has, int64 (1,).
    """

    codes: Tensor
    steps: Tensor
    records: Tensor

    @classmethod
    @torch.no_grad()
    def of(
        cls, before: nn.Module, after: nn.Module, *, records: int, rng: torch.Generator
    ) -> Change:
        """Return the change from one model to another of its kind, rounded at random."""
        pairs = zip(before.parameters(), after.parameters(), strict=True)
        parts = [on_host(new - old).double().flatten() for old, new in pairs]
        codes, steps = quantised(parts, rng=rng)
        return cls(codes, steps, torch.tensor([records]))

    def dense(self, sizes: Iterable[int]) -> Tensor:
        """Return the change of parameters of such `sizes`, one after another, float64 (p,)."""
        parts = self.codes.double().split(list(sizes))
        return torch.cat([part * s for part, s in zip(parts, self.steps.double(), strict=True)])


def quantised(parts: Iterable[Tensor], *, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return numbers of several tensors in four bits each, and what 1 stands for in each tensor.

    Returns
    -------
    codes
        One tensor after another, rounded at random, between -7 and 7: int8 (p,).
    steps
        float32 (t,).
    """
    codes, steps = [], []
    for part in parts:
        step = (part.abs().amax() / LEVELS).float().clamp_min(TINY)
        codes.append(rounded(part, step, levels=LEVELS, rng=rng))
        steps.append(step)
    return torch.cat(codes), torch.stack(steps)


def fine_tuned(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    merged: SyntheticSet,
    cfg: TrainingConfig,
    *,
    rng: torch.Generator,
) -> nn.Module:
    """Return `model` after training on a party's records, and on rows of the classes it lacks.

    Half of each target is what `model` itself says (learning without forgetting,
    arXiv:1606.09282), and rows of the merged set make up for what the party has too little of
    (rehearsal): both keep it from drifting away from the others. Augmentation is that of
    `training`; batches are neither blended nor blurred, for there are records enough.

    Parameters
    ----------
    inputs, targets
        The party's records (n, *feature_shape) and one-hot classes (n, k), float32.
    merged
        On the same device.

    Raises
    ------
    FddError
        If the loss stops being finite.
    """
    everything = with_rehearsal(inputs, targets, merged)
    steps = max(1, round(EPOCHS * float(everything.weights.sum()) / BATCH))
    own = replace(
        cfg,
        steps=steps,
        batch_size=BATCH,
        learning_rate=RATE,
        teacher=TEACHER,
        clean_steps=1.0,
        noise=0.0,
    )
    after = deepcopy(model)
    train_on(everything, after, own, rng=rng, teacher=NetworkTeacher(model.eval()))
    return after


def with_rehearsal(inputs: Tensor, targets: Tensor, merged: SyntheticSet) -> SyntheticSet:
    """Return records, each of weight 1, and as many more rows of `merged` as they lack.

    A party of n records lacks of a class what it has below n times the class's share of `merged`.
    """
    had = targets.sum(dim=0)
    held = merged.weights @ merged.targets
    lacking = (len(inputs) * held / held.sum() - had).clamp_min(0)
    weights = merged.weights * (merged.targets @ (lacking / held.clamp_min(TINY)))
    drawn = weights > 0
    return SyntheticSet(
        inputs=torch.cat([inputs, merged.inputs[drawn]]),
        targets=torch.cat([targets, merged.targets[drawn]]),
        weights=torch.cat([weights.new_ones(len(inputs)), weights[drawn]]),
    )


@torch.no_grad()
def step(model: nn.Module, parts: Iterable[tuple[float, Change]]) -> None:
    """Add to the parameters of `model`, in place, `STEP` times the mean of all parties' changes.

    Parameters
    ----------
    parts
        The change of each party, and how much it counts for.
    """
    sizes = [p.numel() for p in model.parameters()]
    total, weights = torch.zeros(sum(sizes), dtype=torch.float64), 0.0
    for weight, change in parts:
        total += weight * change.dense(sizes)
        weights += weight
    for parameter, mean in zip(model.parameters(), (total / weights).split(sizes), strict=True):
        parameter += STEP * mean.view_as(parameter).to(parameter)
