"""A model of a named family, from fresh weights to trained ones."""

from __future__ import annotations

from dataclasses import replace

from fdd_flower.config import Config
from fdd_flower.models import build_model
from fdd_flower.models.base import Network
from fdd_flower.rng import stream
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.loop import Progress, train_on
from fdd_flower.training.teachers import NetworkTeacher, Teacher

TEACHER_SHARE = 0.9  # of the others' targets; ridge regression's is `training.teacher` (decision 6)
TEACHER_STEPS = 5000  # at most: after 3,000 and 5,000 it gave 89.0 and 89.1 (decision 6)


def train_family(
    name: str,
    merged: SyntheticSet,
    cfg: Config,
    *,
    round_: int,
    teacher: Teacher | None = None,
    progress: Progress | None = None,
) -> Network:
    """Return a model of the family `name`, trained on the merged set of `round_`, where that is.

    Everything random follows from `cfg.seed`, the round and the name.

    Parameters
    ----------
    teacher
        As `train_on` has it.

    Raises
    ------
    ConfigError
        If the name is unknown, or the family cannot take such records.
    FddError
        If the loss stops being finite.
    """
    model = build_model(
        replace(cfg.model, name=name),
        feature_shape=merged.feature_shape,
        num_classes=merged.num_classes,
        seed=cfg.seed + round_,
    ).to(merged.inputs.device)
    rng = stream(cfg.seed, "train", round_, name)
    train_on(merged, model, cfg.training, rng=rng, progress=progress, teacher=teacher)
    return model


def as_teacher(cfg: Config) -> Config:
    """Return the settings that the network `server.teacher` is trained by."""
    steps = min(cfg.training.steps, TEACHER_STEPS)  # 0 leaves them to the rows
    return replace(cfg, training=replace(cfg.training, steps=steps))


def as_pupil(cfg: Config, network: Network) -> tuple[Config, Teacher]:
    """Return the settings of models that learn from `network`, and what it says."""
    training = replace(cfg.training, teacher=TEACHER_SHARE)
    return replace(cfg, training=training), NetworkTeacher(network.eval())
