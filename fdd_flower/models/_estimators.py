"""scikit-learn's trees behind the face of a network: for `server.models` and `fdd train`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fdd_flower.config import ModelConfig
from fdd_flower.device import on_host
from fdd_flower.models.base import Network
from fdd_flower.synthetic_set import SyntheticSet

LEAST_SHARE = 1e-3  # of a row's target; less is left out
LEAST_PROBABILITY = 1e-12  # a forest says 0, of which there is no logarithm
LEAF = 20  # scikit-learn's rows of a leaf of a boosted tree, where a set has many
# of tables; on held-out training records of four (docs/metrics.md)
NOISE = 0.6  # standard deviation on normalised columns, the default of `training.noise`
COPIES = 10  # of a row, each with noise of its own
MOST_ROWS = 500_000  # with their copies


class Estimator(Network):
    """A classifier of scikit-learn, fitted to a set.

    A row with a soft target is one row for each class, weighted by its share. What is saved is the
    set and a seed, and no tree: a model that is loaded is fitted again when it is first asked. No
    gradient passes through it, so no run averages it, and nothing is distilled with it.

    Rows of a table are copied with noise, as networks are trained on them: a tree would part the
    few rows of a set where no record is parted.

    Sources: `sklearn.ensemble.HistGradientBoostingClassifier` and `RandomForestClassifier`. Their
    settings are their own, but for small trees on tables, and leaves that are small enough for a
    small set on all else.
    """

    inputs: Tensor  # (n, d)
    targets: Tensor  # (n, k)
    weights: Tensor  # (n,)
    state: Tensor  # the seed

    def __init__(self, cfg: ModelConfig, feature_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.name, self.num_classes = cfg.name, num_classes
        self.size, self.table = int(np.prod(feature_shape)), len(feature_shape) == 1
        self.register_buffer("inputs", torch.zeros(0, self.size))
        self.register_buffer("targets", torch.zeros(0, num_classes))
        self.register_buffer("weights", torch.zeros(0))
        self.register_buffer("state", torch.randint(2**31, ()))
        self._fitted: Any = None

    def fit(self, synthetic: SyntheticSet) -> None:
        """Fit to a set; rows count by weight and by probability."""
        self.inputs = synthetic.inputs.flatten(1).float()
        self.targets, self.weights = synthetic.targets.float(), synthetic.weights.float()
        self._fitted = self._fit()

    def features(self, x: Tensor) -> Tensor:
        """Return the flattened input, (n, d)."""
        return x.flatten(1)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Return logarithms of probabilities (n, num_classes)."""
        if self._fitted is None:
            self._fitted = self._fit()
        classes, model = self._fitted
        found = np.zeros((len(x), self.num_classes))
        if model is None:
            found[:, classes] = 1
        elif len(x):
            found[:, classes] = model.predict_proba(on_host(x).flatten(1).numpy())
        logs = np.log(np.maximum(found, LEAST_PROBABILITY))
        return torch.from_numpy(logs).float().to(x.device)

    def _fit(self) -> tuple[np.ndarray, Any]:
        """Return the classes of the set, and what is fitted to it; None where there is one."""
        inputs, targets, weights = (
            on_host(part).numpy() for part in (self.inputs, self.targets, self.weights)
        )
        rows, labels = np.nonzero(targets >= LEAST_SHARE)
        share = weights[rows].astype(np.float64) * targets[rows, labels]
        rows, labels, share = rows[share > 0], labels[share > 0], share[share > 0]
        held, counts = np.unique(labels, return_counts=True)
        if len(held) < 2:
            return held, None
        state, records, share = int(self.state), inputs[rows], share / share.mean()
        if not self.table:
            leaf = int(np.clip(counts.min() // 2, 1, LEAF))
            return held, _new(self.name, state, leaf).fit(records, labels, sample_weight=share)
        copies = max(1, min(COPIES, MOST_ROWS // len(rows)))
        noise = np.random.default_rng(state).standard_normal((copies, *records.shape))
        jittered = (records + NOISE * noise).reshape(-1, self.size).astype(np.float32)
        model = _small(self.name, state, copies, half=int(max(counts.min() // 2, 1)))
        weights = np.tile(share, copies)
        return held, model.fit(jittered, np.tile(labels, copies), sample_weight=weights)

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Take the set of a file, of whatever length."""
        errors = error_msgs
        found = [state_dict.get(f"{prefix}{name}") for name in ("inputs", "targets", "weights")]
        seed = state_dict.get(f"{prefix}state")
        if seed is None or any(part is None for part in found):
            errors.append("no set to fit to")
            return
        inputs, targets, weights = (part for part in found if part is not None)
        n = len(weights) if weights.ndim == 1 else -1
        shapes = (tuple(inputs.shape), tuple(targets.shape), tuple(seed.shape))
        if shapes != ((n, self.size), (n, self.num_classes), ()) or not n:
            errors.append(f"a set of shapes {shapes}")
            return
        if not all(bool(torch.isfinite(part).all()) for part in (inputs, targets, weights)):
            errors.append("a set with numbers that are not finite")
            return
        self.inputs, self.targets, self.weights = inputs.float(), targets.float(), weights.float()
        self.state, self._fitted = seed.long().abs() % 2**31, None


def _new(name: str, state: int, leaf: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    if name == "random-forest":
        return RandomForestClassifier(random_state=state)
    return HistGradientBoostingClassifier(min_samples_leaf=leaf, random_state=state)


def _small(name: str, state: int, copies: int, *, half: int) -> Any:
    """Return small trees; a leaf may hold `half` of the rarest class and its copies."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    if name == "random-forest":
        return RandomForestClassifier(min_samples_leaf=min(5, half) * copies, random_state=state)
    never: Any = False  # for scikit-learn's own, which says str
    return HistGradientBoostingClassifier(
        max_iter=50,
        max_leaf_nodes=8,
        min_samples_leaf=min(LEAF, half * copies),
        early_stopping=never,
        random_state=state,
    )
