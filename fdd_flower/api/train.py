"""`fdd_flower.train`: any model, trained on a synthetic set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from fdd_flower.api.model import Model
from fdd_flower.api.settings import run_config
from fdd_flower.api.synthetic import SyntheticSet
from fdd_flower.config import find_key, from_run_config
from fdd_flower.data.base import refuse
from fdd_flower.device import device_of, moved, resolve
from fdd_flower.rng import stream
from fdd_flower.threads import threads
from fdd_flower.training.family import train_family
from fdd_flower.training.loop import train_on


def train(
    small: SyntheticSet,
    model: str | nn.Module = "auto",
    *,
    steps: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Model:
    """Train a model on a synthetic set, and return it with the set's schema.

    Parameters
    ----------
    small
        From `fdd_flower.distill`, a run, or a file.
    model
        A family: auto, cnn, convnet, logistic, mlp, random-features or resnet18; or a module of
        your own, from normalised inputs (n, *feature_shape) to logits (n, classes), which is
        trained in place, on the device that it is on. `auto` chooses by the shape of a record.
    steps
        Optimiser steps; None: the default of `training.steps`.
    seed
        Of the first weights and of every draw: the same seed gives the same model.
    progress
        Called with the steps done and the steps in all.
    **settings
        Of the sections `model`, `training` and `runtime` of the run config, with underscores:
        `training_learning_rate=0.001`, `model_width=64`.

    Returns
    -------
    Model
        A torch module that `fdd_flower.evaluate` takes. It predicts from data in their own units.

    Raises
    ------
    ConfigError
        If a setting is unknown or out of range, or the family cannot take such records.
    FddError
        If the loss stops being finite.

    Examples
    --------
    >>> model = fdd.train(small, "convnet", steps=500)  # doctest: +SKIP
    >>> fdd.evaluate(model, x_test, y_test).accuracy  # doctest: +SKIP
    0.957
    """
    if not isinstance(small, SyntheticSet):
        raise refuse(
            "train",
            expected="a fdd_flower.SyntheticSet",
            got=type(small).__name__,
            remedy="Distil the data first, or read a set with fdd_flower.SyntheticSet.load(path).",
        )
    found = run_config(settings, only=("model", "training", "runtime"))
    found["seed"] = find_key("seed").check(seed)
    if steps is not None:
        found["training.steps"] = find_key("training.steps").check(steps)
    if isinstance(model, str):
        found["model.name"] = model
    cfg = from_run_config(found)
    with threads(cfg.runtime.server_threads):
        if isinstance(model, str):
            there = moved(small, resolve(cfg.runtime.device))
            network: nn.Module = train_family(model, there, cfg, round_=0, progress=progress)
        else:
            network, rng = model, stream(cfg.seed, "train", 0, "own")
            there = moved(small, device_of(network))
            train_on(there, network, cfg.training, rng=rng, progress=progress)
    return Model(network.eval(), small.schema)
