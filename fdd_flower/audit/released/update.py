"""What FedAvg sends: the weights after local training, beside those before it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor
from torch.func import functional_call, grad, vmap

from fdd_flower.audit.protocol import Known
from fdd_flower.audit.released.base import WIDEST, reduced
from fdd_flower.data.base import Split
from fdd_flower.models import build_model
from fdd_flower.models.base import Network
from fdd_flower.rng import stream
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.local import train_locally

TILE = 64  # records whose gradients are held at once
LOOKS = 4  # rounds, evenly spaced, at which gradients are compared

Weights = dict[str, Tensor]


@dataclass(slots=True)
class Update:
    """One client's replies to FedAvg over some rounds.

    Attributes
    ----------
    before, after
        Weights of the model as it was sent and as it came back, a round each. With one client the
        next round begins with what came back: nobody else's update hides it.
    """

    network: Network
    before: list[Weights]
    after: list[Weights]
    rows: SyntheticSet | None = None
    by_class: bool = False
    noise: float = 0.0

    def vectors(self, records: Split) -> Tensor:
        """Return the negative gradient of each record at the weights that were sent, (n, d)."""
        looks = self._looks()
        found = [
            torch.cat(
                [
                    reduced(-_gradients(self.network, self.before[at], x, y), WIDEST // len(looks))
                    for x, y in zip(
                        records.inputs.split(TILE), records.labels.split(TILE), strict=True
                    )
                ]
            )
            for at in looks
        ]
        return torch.cat(found, dim=1)

    def observed(self) -> Tensor:
        """Return how the weights moved, (1, d)."""
        looks = self._looks()
        moved = [
            torch.cat([(self.after[at][k] - w).flatten() for k, w in self.before[at].items()])
            for at in looks
        ]
        return torch.cat([reduced(m[None], WIDEST // len(looks)) for m in moved], dim=1)

    def scores(self, records: Split, *, learned: bool = True) -> dict[str, Tensor]:
        """Return how much the loss of each record fell, and how small it is in the end."""
        first = _losses(self.network, self.before[0], records)
        last = _losses(self.network, self.after[-1], records)
        return {"loss-drop": first - last, "loss": -last}

    def _looks(self) -> list[int]:
        rounds = len(self.before)
        return sorted({round(at) for at in torch.linspace(0, rounds - 1, LOOKS).tolist()})


def averaged(records: Split, known: Known, *, rounds: int, seed: int) -> Update:
    """Return what a client of FedAvg sends in `rounds` rounds of `local.*` training."""
    network = build_model(
        known.cfg.model,
        feature_shape=records.feature_shape,
        num_classes=len(records.classes),
        seed=known.plan.seed,
    )
    before, after = [], []
    for round_ in range(rounds):
        before.append(weights_of(network))
        train_locally(records, network, known.cfg.local, rng=stream(seed, "local", round_))
        after.append(weights_of(network))
    return Update(network.eval(), before, after)


def weights_of(network: Network) -> Weights:
    """Return a copy of the parameters by name."""
    return {name: weight.detach().clone() for name, weight in network.named_parameters()}


def _gradients(network: Network, weights: Weights, inputs: Tensor, labels: Tensor) -> Tensor:
    """Return the gradient of each record's cross-entropy, (n, parameters)."""

    def loss(values: Weights, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(network, values, (x[None],)), y[None])

    found = vmap(grad(loss), in_dims=(None, 0, 0))(weights, inputs, labels)
    return torch.cat([found[name].flatten(1) for name in weights], dim=1)


@torch.no_grad()
def _losses(network: Network, weights: Weights, records: Split) -> Tensor:
    logits = torch.cat([functional_call(network, weights, (x,)) for x in records.inputs.split(256)])
    return F.cross_entropy(logits, records.labels, reduction="none")
