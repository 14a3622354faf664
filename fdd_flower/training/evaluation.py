"""How well a model does on a split."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import nn

from fdd_flower.data.base import Split
from fdd_flower.device import on_host, wide


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How a model does on a split: shares and nats, from 0; and what `training.metrics` takes.

    Attributes
    ----------
    accuracy_per_class
        nan: the split has no record of the class.
    probabilities
        (n, k) of the model, float64: in float32 those near 1 would all be 1.
    labels
        (n,).
    """

    accuracy: float
    loss: float
    accuracy_per_class: tuple[float, ...]
    probabilities: np.ndarray = field(compare=False)
    labels: np.ndarray = field(compare=False)


@torch.no_grad()
def evaluate(model: nn.Module, split: Split, *, batch_size: int = 128) -> Evaluation:
    """Return accuracy, mean cross-entropy, accuracy per class and the answers of `model`."""
    model.eval()
    logits = torch.cat([model(batch) for batch in split.inputs.split(batch_size)])
    right = wide(logits.argmax(dim=1) == split.labels)
    held = [split.labels == label for label in range(len(split.classes))]
    return Evaluation(
        accuracy=float(right.mean()),
        loss=float(F.cross_entropy(logits, split.labels)),
        accuracy_per_class=tuple(float(right[h].mean()) for h in held),
        probabilities=on_host(logits).double().softmax(dim=1).numpy(),
        labels=on_host(split.labels).numpy(),
    )
