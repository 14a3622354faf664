"""scikit-learn's classifiers as evaluation models: hard labels, weighted rows, flat inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from fdd_flower.device import on_host
from fdd_flower.errors import FddError
from fdd_flower.rng import derive
from fdd_flower.synthetic_set import SyntheticSet

NAMES = ("sk-boosting", "sk-forest", "sk-logistic")
LEAF = 20  # records a leaf of a boosted tree holds, where there are many


def fit_estimator(name: str, part: SyntheticSet, *, seed: int, threads: int) -> Any:
    """Return the scikit-learn classifier `name` fitted on `part`.

    scikit-learn's own settings, but for: steps of the logistic regression enough to converge,
    and leaves of the boosted trees small enough for a small set.

    Raises
    ------
    FddError
        If the set holds one class only.
    """
    part = on_host(part)
    labels = part.labels.numpy()
    counts = np.bincount(labels)
    if np.count_nonzero(counts) < 2:
        raise FddError(
            f"{name}: classes of the set",
            expected="at least 2",
            got=1,
            remedy="Distil more classes: scikit-learn needs at least two.",
        )
    state = derive(seed, "bench", name) % 2**32
    model = _new(name, state, threads, leaf=int(np.clip(counts[counts > 0].min() // 2, 1, LEAF)))
    weights = (part.weights / part.weights.mean()).numpy()
    return model.fit(part.inputs.flatten(1).numpy(), labels, sample_weight=weights)


def _new(name: str, state: int, threads: int, *, leaf: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    if name == "sk-logistic":
        return LogisticRegression(max_iter=1000, random_state=state)
    if name == "sk-forest":
        return RandomForestClassifier(random_state=state, n_jobs=threads)
    return HistGradientBoostingClassifier(min_samples_leaf=leaf, random_state=state)
