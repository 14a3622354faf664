"""Models by name: `build_model` makes one whose weights depend on its seed alone."""

from __future__ import annotations

import threading

import torch

from fdd_flower.config import ModelConfig
from fdd_flower.models._estimators import Estimator
from fdd_flower.models.auto import choose
from fdd_flower.models.base import MODELS, Network
from fdd_flower.rng import derive

# of scikit-learn: trained by the server on a set, and never the model of a run
ESTIMATORS = ("gradient-boosting", "random-forest")

# Layers draw their first weights from the process-wide generator: one builder at a time.
_GLOBAL_GENERATOR = threading.Lock()


def resolve_name(name: str, feature_shape: tuple[int, ...]) -> str:
    """Return the family that `name` stands for: `auto` becomes its choice for this shape."""
    return choose(feature_shape) if name == "auto" else name


def build_model(
    cfg: ModelConfig, *, feature_shape: tuple[int, ...], num_classes: int, seed: int
) -> Network:
    """Build the model that `cfg` names, with weights drawn from a stream of `seed`.

    The process-wide generator is left as it was, so building a model moves no other draw.

    Parameters
    ----------
    feature_shape
        Shape of one input: (channels, height, width) for an image, any shape otherwise.
    num_classes
        Width of the logits, from 1.
    seed
        The same settings and seed give the same weights, bit for bit, on one torch version.

    Raises
    ------
    ConfigError
        If the name is unknown, or the family cannot take inputs of this shape.
    """
    builder = Estimator if cfg.name in ESTIMATORS else MODELS.get(cfg.name)
    with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed: that would seed accelerators too, which the fork leaves out.
        torch.default_generator.manual_seed(derive(seed, "model"))
        return builder(cfg, feature_shape, num_classes)
