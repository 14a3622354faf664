"""What models of a family say of the rows of a set that they were not trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from fdd_flower.config import Config
from fdd_flower.device import on_host
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.family import train_family
from fdd_flower.training.teachers import Teacher

FOLDS = 5  # at most: as many as the smallest class has rows


@torch.no_grad()
def _shares(model: torch.nn.Module, inputs: torch.Tensor) -> np.ndarray:
    model.eval()
    logits = torch.cat([model(batch) for batch in inputs.split(128)])
    return on_host(logits).double().softmax(dim=1).numpy()


def cross_fitted(
    name: str, merged: SyntheticSet, cfg: Config, *, round_: int, teacher: Teacher | None = None
) -> np.ndarray:
    """Return class probabilities (n, k) of each row, by a model trained on the other folds.

    Folds have as many rows of each class, to one; each class has at least two rows.

    Raises
    ------
    FddError
        If a training diverges.
    """
    from sklearn.model_selection import StratifiedKFold

    labels = on_host(merged.labels).numpy()
    counts = np.bincount(labels, minlength=merged.num_classes)
    found = np.empty((len(merged), merged.num_classes))
    folds = StratifiedKFold(min(FOLDS, int(counts.min())), shuffle=True, random_state=cfg.seed)
    for others, own in folds.split(labels, labels):
        at = torch.from_numpy(others).to(merged.inputs.device)
        part = replace(
            merged,
            inputs=merged.inputs[at],
            targets=merged.targets[at],
            weights=merged.weights[at],
            origin=None,
        )
        model = train_family(name, part, cfg, round_=round_, teacher=teacher)
        found[own] = _shares(model, merged.inputs[torch.from_numpy(own).to(at.device)])
    return found
