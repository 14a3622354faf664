"""The recipe: an evaluation model trained on a set and measured, the same for every set."""

from __future__ import annotations

import math
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch

from fdd_flower.bench.distil import estimators
from fdd_flower.bench.distil.settings import RIDGE
from fdd_flower.config import Config
from fdd_flower.data import load_dataset
from fdd_flower.data.base import Split
from fdd_flower.device import moved, on_host
from fdd_flower.errors import ConfigError
from fdd_flower.models import build_model
from fdd_flower.models.base import MODELS
from fdd_flower.rng import derive, stream
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.evaluation import evaluate
from fdd_flower.training.loop import train_on
from fdd_flower.training.metrics import Headline, headline, measure
from fdd_flower.training.ridge import fit_ridge, gram, received, scores, sent, solve_gram
from fdd_flower.training.ridge_features import Features, draw_features

RIDGE_WIDTH = 96  # of its random features: 1,536 of an image


def check_model(name: str, cfg: Config, test: Split) -> None:
    """Refuse an evaluation model that is unknown or cannot take these records.

    Raises
    ------
    ConfigError
        If so; before any work.
    """
    if name == RIDGE or name in estimators.NAMES:
        return
    if name not in MODELS.names() and ":" not in name:
        known = ", ".join(sorted({*MODELS.names(), RIDGE, *estimators.NAMES}))
        raise ConfigError(
            "--models",
            expected=f"names among {known}, or package.module:Factory",
            got=repr(name),
            remedy="Choose from these in --models.",
        )
    _network(name, cfg, test, seed=0)


def all_models(cfg: Config) -> tuple[str, ...]:
    """Return every evaluation model of this package that can take records like those of `cfg`."""
    dataset = load_dataset(cfg.data, seed=cfg.seed)
    test, fit = dataset.split(dataset.test), []
    for name in MODELS.built_in():
        with suppress(ConfigError):
            check_model(name, cfg, test)
            fit.append(name)
    return (*fit, RIDGE, *estimators.NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How every set is measured.

    Attributes
    ----------
    test
        What models are measured on.
    """

    cfg: Config
    test: Split

    def for_all_records(self, steps: int) -> Recipe:
        """Return the same with `steps` and without a teacher from the set.

        That teacher lifts networks on few rows; on all records it knows less than they would.
        """
        training = replace(self.cfg.training, steps=steps, teacher=0.0)
        return replace(self, cfg=replace(self.cfg, training=training))

    @property
    def headline(self) -> Headline:
        """What a run on the same test records shows first."""
        return headline(self.cfg.evaluation, self.test.classes, on_host(self.test.labels).numpy())

    def accuracy(self, name: str, part: SyntheticSet, *, seed: int) -> float:
        """Return the accuracy of `measured`."""
        return self.measured(name, part, seed=seed)["accuracy"]

    def measured(self, name: str, part: SyntheticSet, *, seed: int) -> dict[str, float]:
        """Return the metrics of model `name` trained on `part`, by name.

        The first weights and the draws depend on `seed` and `name` alone, so that two sets
        differ in nothing else. Models are trained where the test records are. Ridge regression
        gives no probabilities: what is made of those is nan.

        Raises
        ------
        FddError
            If the training diverges, or the model cannot be trained on the set.
        """
        part = moved(part, self.test.inputs.device)
        if name == RIDGE:
            phi = _features(self.test, seed)
            found = fit_ridge(phi, part.inputs, part.targets, part.weights)
            return self._of_ridge(phi, found)
        if name in estimators.NAMES:
            return self._metrics(self._estimator(name, part, seed))
        model = _network(name, self.cfg, self.test, seed=seed)
        train_on(part, model, self.cfg.training, rng=stream(seed, "bench", "train", name))
        return self._metrics(evaluate(model, self.test).probabilities)

    def summed_gram(
        self, train: Split, *, seed: int
    ) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
        """Return the metrics of ridge regression from sums over `train`, and what was summed.

        The sums are those that clients would send, rounded to float32.
        """
        phi = _features(self.test, seed)
        everything = as_set(train)
        message = sent(gram(phi, everything.inputs, everything.targets, everything.weights))
        found = solve_gram(received(message), len(train))
        return self._of_ridge(phi, found), message

    def _estimator(self, name: str, part: SyntheticSet, seed: int) -> np.ndarray:
        threads = self.cfg.runtime.server_threads
        with warnings.catch_warnings():
            # a regression that stops early is still a model
            warnings.simplefilter("ignore")
            model = estimators.fit_estimator(name, part, seed=seed, threads=threads)
        test = on_host(self.test)
        found = np.zeros((len(test), len(test.classes)))
        found[:, model.classes_] = model.predict_proba(test.inputs.flatten(1).numpy())
        return found

    def _of_ridge(self, phi: Features, found: torch.Tensor) -> dict[str, float]:
        metrics = self._metrics(on_host(scores(phi, found, self.test.inputs)).numpy())
        return metrics | dict.fromkeys(("brier", "ece"), math.nan)

    def _metrics(self, probabilities: np.ndarray) -> dict[str, float]:
        labels = on_host(self.test.labels).numpy()
        return measure(probabilities, labels, positive=self.headline.positive).as_dict()


def as_set(split: Split) -> SyntheticSet:
    """Return all records of `split` as a set of hard labels, each of weight 1."""
    targets = torch.nn.functional.one_hot(split.labels, len(split.classes)).float()
    return SyntheticSet(inputs=split.inputs, targets=targets, weights=targets.new_ones(len(split)))


def hardened(part: SyntheticSet) -> SyntheticSet:
    """Return `part` with the most probable class of each row as its only one."""
    targets = torch.nn.functional.one_hot(part.labels, part.num_classes).float()
    return replace(part, targets=targets)


def is_hard(part: SyntheticSet) -> bool:
    """Tell whether every target of `part` names one class."""
    return torch.equal(part.targets, hardened(part).targets)


def _features(test: Split, seed: int) -> Features:
    """Return the features under the bench's ridge model: those of no distiller or teacher."""
    seed = derive(seed, "bench", "features")
    device = test.inputs.device
    return draw_features(test.feature_shape, width=RIDGE_WIDTH, seed=seed, device=device)


def _network(name: str, cfg: Config, test: Split, *, seed: int) -> torch.nn.Module:
    model = build_model(
        replace(cfg.model, name=name),
        feature_shape=test.feature_shape,
        num_classes=len(test.classes),
        seed=seed,
    )
    return model.to(test.inputs.device)
