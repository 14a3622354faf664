"""How far to go along each of the parties' changes: the best step for all of their real records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.cluster import AgglomerativeClustering
from torch import Tensor, nn
from torch.func import functional_call

from fdd_flower.device import on_host
from fdd_flower.training.finish.fine_tune import LARGEST, Change, quantised
from fdd_flower.training.finish.sums import Sums

# Chosen on held-out training records of Fashion-MNIST (docs/decisions/0016-a-fitted-step.md).
MOST = 12  # directions per layer: more changes are averaged in so many groups
RECORDS = 500  # of a party, on which it measures
REACH = 0.2  # of a direction, over which its effect on the logits is measured
LONGEST = 3  # the largest step, in lengths of the median party's change
STEEP = 90.0  # the largest square of a slope, in curvatures along its direction
TILE = 250

Way = Mapping[str, Tensor]  # what one direction adds to parameters, by their names


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
        """Return the directions of changes, each beside what it counts for.

        More than `MOST` changes are put into as many groups of like ones (average linkage, by
        angle). A group has one direction per layer, by its mean. Changes of nothing are left out.
        """
        moving = [part for part in parts if bool(part[1].codes.any())] or parts[:1]
        dense = torch.stack([change.dense(sizes).float() for _, change in moving])
        weights = torch.tensor([weight for weight, _ in moving], dtype=torch.float64)
        codes, steps = [], []
        for group in _groups(dense.numpy()):
            shares = (weights[group] / weights[group].sum()).float()
            mean = (shares @ dense[group]).double()
            own_codes, own_steps = quantised(mean.split(list(sizes)), rng=rng)
            codes.append(own_codes)
            steps.append(own_steps.clamp_max(LARGEST))
        return cls(torch.stack(codes), torch.stack(steps))

    def along(self, model: nn.Module) -> list[Way]:
        """Return the directions from `model`, on the CPU: change by change, layer by layer."""
        shapes = {name: p.shape for name, p in model.named_parameters()}
        sizes = [shape.numel() for shape in shapes.values()]
        found: list[Way] = []
        for codes, steps in zip(self.codes, self.steps, strict=True):
            layers: dict[str, dict[str, Tensor]] = {layer: {} for layer in _layers(shapes)}
            parts = zip(shapes.items(), codes.split(sizes), steps, strict=True)
            for (name, shape), part, step in parts:
                layers[_layer(name)][name] = (part.float() * step).view(shape)
            found += layers.values()
        return found


def _groups(changes: np.ndarray) -> list[np.ndarray]:
    places = np.arange(len(changes))
    if len(changes) <= MOST:
        return list(places[:, None])
    clusters = AgglomerativeClustering(MOST, metric="cosine", linkage="average")
    found = clusters.fit_predict(changes)
    return [places[found == group] for group in range(MOST)]


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
    ways: Sequence[Way],
    inputs: Tensor,
    labels: Tensor,
    *,
    rng: torch.Generator,
) -> Sums:
    """Return the slope and the curvature of a party's mean loss along `ways`.

    They are the gradient of the cross-entropy and its Gauss-Newton matrix (Schraudolph 2002,
    doi:10.1162/08997660260028683), both in the subspace of the directions. What a direction does to
    the logits is a central difference.

    Parameters
    ----------
    inputs, labels
        The party's records (n, *feature_shape), and their classes int64 (n,). At most `RECORDS` of
        them, drawn at random, are looked at.
    """
    model.eval()
    chosen, answers = torch.randperm(len(inputs), generator=rng)[:RECORDS], _answers(model)
    slope = torch.zeros(len(ways), 1, dtype=torch.float64)
    curve = torch.zeros(len(ways), len(ways), dtype=torch.float64)
    for tile in chosen.split(TILE):
        x, y = inputs[tile.to(inputs.device)], on_host(labels)[tile]
        chances = answers(x, {}, 0.0).softmax(dim=1)
        sides = [(answers(x, way, REACH), answers(x, way, -REACH)) for way in ways]
        effects = torch.stack([(ahead - back) / (2 * REACH) for ahead, back in sides])
        errors = chances.clone()
        errors[torch.arange(len(y)), y] -= 1
        slope += torch.einsum("dnk,nk->d", effects, errors)[:, None]
        centred = effects - (effects * chances).sum(dim=2, keepdim=True)
        weighted = (centred * chances.sqrt()).flatten(1)
        curve += weighted @ weighted.T
    slope, curve = slope / len(chosen), curve / len(chosen)
    # a model that is surely wrong has hardly any curvature there, and no end of the step
    diagonal = curve.diagonal()
    diagonal.copy_(torch.maximum(diagonal, slope[:, 0].square() / STEEP))
    return Sums.from_means(curve, slope, records=len(inputs), coarse=0.0, rng=rng)


def _answers(model: nn.Module) -> Callable[[Tensor, Way, float], Tensor]:
    """Return a function that gives logits of inputs, float64, after going so far along a way."""
    here: dict[str, Tensor] = {name: p.detach() for name, p in model.named_parameters()}

    def answers(x: Tensor, way: Way, far: float) -> Tensor:
        there = {name: here[name] + (far * part).to(here[name]) for name, part in way.items()}
        return on_host(functional_call(model, here | there, (x,))).double()

    return answers


@torch.no_grad()
def go(model: nn.Module, ways: Sequence[Way], amounts: Tensor, *, longest: float) -> None:
    """Go from `model`, in place, by `amounts` (d,) along the d `ways`.

    Parameters
    ----------
    longest
        Length of the largest step; a longer one is shortened to it.
    """
    parameters = dict(model.named_parameters())
    step = {n: torch.zeros(p.shape, dtype=torch.float64) for n, p in parameters.items()}
    for way, amount in zip(ways, amounts.double(), strict=True):
        for name, part in way.items():
            step[name] += amount * part
    length = float(sum(part.square().sum() for part in step.values())) ** 0.5
    far = longest / length if length > longest else 1.0
    for name, part in step.items():
        parameters[name].add_((far * part).to(parameters[name]))
