"""How far to go along each of the parties' changes: the best step for all of their real records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.cluster import AgglomerativeClustering
from torch import Tensor, nn
from torch.func import functional_call

from fdd_flower.device import on_host
from fdd_flower.training.finish.fine_tune import Change, quantised
from fdd_flower.training.finish.sums import Sums

# Chosen on held-out training records of Fashion-MNIST (docs/decisions/0016-a-fitted-step.md).
MOST = 12  # changes that are gone along; those of more parties are averaged in as many groups
RECORDS = 500  # of a party, by which it measures
REACH = 0.2  # of a direction, over which its effect on the logits is measured
LONGEST = 3  # length of the whole step, in lengths of a change, for the median party
TILE = 250


@dataclass(frozen=True, slots=True)
class Directions:
    """Ways to go from a model: every layer's part of every change.

    Attributes
    ----------
    codes
        Of the changes, between -7 and 7: int8 (g, p).
    steps
        What 1 stands for in each tensor, float32 (g, t).
    """

    codes: Tensor
    steps: Tensor

    @classmethod
    def of(
        cls,
        parts: Sequence[tuple[float, Change]],
        sizes: Sequence[int],
        *,
        rng: torch.Generator,
    ) -> Directions:
        """Return the directions of what parties changed, and how much each counts for.

        Of more than `MOST` parties, those of like changes (average linkage, by angle) share one:
        their mean.
        """
        dense = torch.stack([change.dense(sizes).float() for _, change in parts])
        weights = torch.tensor([weight for weight, _ in parts])
        groups = torch.from_numpy(_groups(dense.numpy()))
        means = [weights[groups == g] @ dense[groups == g] for g in range(int(groups.max()) + 1)]
        totals = [weights[groups == g].sum() for g in range(len(means))]
        found = [
            quantised((mean / total).double().split(list(sizes)), rng=rng)
            for mean, total in zip(means, totals, strict=True)
        ]
        return cls(
            torch.stack([codes for codes, _ in found]), torch.stack([steps for _, steps in found])
        )

    def along(self, model: nn.Module) -> Tensor:
        """Return the directions from `model`, float32 (d, p), on the CPU."""
        names, sizes = zip(*((n, p.numel()) for n, p in model.named_parameters()), strict=True)
        layers = _layers(names)
        owner = torch.tensor([layers.index(_layer(name)) for name in names])
        lengths = self.steps.repeat_interleave(torch.tensor(sizes), dim=1)
        owner = owner.repeat_interleave(torch.tensor(sizes))
        changes = self.codes.float() * lengths
        return torch.stack([c * (owner == n) for c in changes for n in range(len(layers))])


def _groups(changes: np.ndarray) -> np.ndarray:
    if len(changes) <= MOST:
        return np.arange(len(changes))
    return AgglomerativeClustering(MOST, metric="cosine", linkage="average").fit_predict(changes)


def number(model: nn.Module, changes: int) -> int:
    """Return how many directions that many changes of `model` make."""
    return changes * len(_layers(name for name, _ in model.named_parameters()))


def _layers(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(_layer(name) for name in names))


def _layer(name: str) -> str:
    return name.rpartition(".")[0]  # weights and biases together


@torch.no_grad()
def measured(
    model: nn.Module,
    directions: Tensor,
    inputs: Tensor,
    labels: Tensor,
    *,
    rng: torch.Generator,
) -> Sums:
    """Return what a party's records say of `directions`: slope and curvature of the mean loss.

    They are the gradient of the cross-entropy and its Gauss-Newton matrix (Schraudolph 2002,
    doi:10.1162/08997660260028683), both within the directions. What a direction does to the logits
    is the difference between both sides of the model, and not a derivative.

    Parameters
    ----------
    directions
        (d, p), of all parameters in order.
    inputs, labels
        The party's records (n, *feature_shape), and their classes int64 (n,). At most `RECORDS` of
        them, drawn at random, are looked at.
    """
    model.eval()
    chosen = torch.randperm(len(inputs), generator=rng)[:RECORDS].to(inputs.device)
    answers = _answers(model)
    size = len(directions)
    slope = torch.zeros(size, 1, dtype=torch.float64)
    curve = torch.zeros(size, size, dtype=torch.float64)
    for tile in chosen.split(TILE):
        x, y = inputs[tile], on_host(labels[tile])
        chances = answers(x, None).softmax(dim=1)
        effects = torch.stack(
            [
                (answers(x, REACH * way) - answers(x, -REACH * way)) / (2 * REACH)
                for way in directions
            ]
        )
        errors = chances.clone()
        errors[torch.arange(len(y)), y] -= 1
        slope += torch.einsum("dnk,nk->d", effects, errors)[:, None]
        centred = effects - (effects * chances).sum(dim=2, keepdim=True)
        weighted = (centred * chances.sqrt()).flatten(1)
        curve += weighted @ weighted.T
    return Sums.from_means(
        curve / len(chosen), slope / len(chosen), records=len(inputs), coarse=0.0, rng=rng
    )


def _answers(model: nn.Module) -> Callable[[Tensor, Tensor | None], Tensor]:
    """Return a function that gives logits of inputs, float64, after a step of all parameters."""
    here: dict[str, Tensor] = {name: p.detach() for name, p in model.named_parameters()}

    def answers(x: Tensor, step: Tensor | None) -> Tensor:
        moved = here
        if step is not None:
            parts = step.split([p.numel() for p in here.values()])
            moved = {
                name: p + part.view_as(p).to(p)
                for (name, p), part in zip(here.items(), parts, strict=True)
            }
        return on_host(functional_call(model, moved, (x,))).double()

    return answers


@torch.no_grad()
def go(model: nn.Module, directions: Tensor, amounts: Tensor, *, longest: float) -> None:
    """Go from `model`, in place, by `amounts` (d,) along `directions` (d, p).

    Parameters
    ----------
    longest
        Length of the step, which is shortened to it.
    """
    step = amounts.double() @ directions.double()
    step *= min(1.0, longest / max(float(step.norm()), torch.finfo(torch.float64).tiny))
    sizes = [p.numel() for p in model.parameters()]
    for parameter, part in zip(model.parameters(), step.split(sizes), strict=True):
        parameter += part.view_as(parameter).to(parameter)
