"""Other models from the merged set: `server.teacher` each round, `server.models` after the last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from torch import Tensor

from fdd_flower.client.side import new_model
from fdd_flower.config import Config, TrainingConfig
from fdd_flower.data.base import Split
from fdd_flower.device import moved
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import ConfigError
from fdd_flower.methods.base import Method
from fdd_flower.models import ESTIMATORS, resolve_name
from fdd_flower.models.base import Network
from fdd_flower.progress_log import say_steps
from fdd_flower.server.side import ServerSide
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.evaluation import Evaluation, evaluate
from fdd_flower.training.family import as_pupil, as_teacher, train_family
from fdd_flower.training.teachers import Teacher
from fdd_flower.wording import many


def check_models(cfg: Config, plan: Plan, method: Method) -> None:
    """Build every model of `server.models` and `server.teacher` and throw it away.

    Raises
    ------
    ConfigError
        If one is unknown, named twice, or cannot take the records; or if there is no set for it.
    """
    names, teachers = _names(cfg), _teachers(cfg)
    own = resolve_name(cfg.model.name, plan.feature_shape)
    for key, given, fits in (
        ("server.models", names, method.distils or method.synthesises),
        ("server.teacher", teachers, method.distils),
    ):
        if given and not fits:
            raise ConfigError(
                key,
                expected=f"nothing with strategy.name={cfg.strategy.name}",
                got=repr(",".join(given)),
                remedy="Other models are trained on sets, and this strategy sends none.",
            )
    if len(set(names)) < len(names) or "" in names:
        raise ConfigError(
            "server.models",
            expected="names separated by commas, each once",
            got=repr(cfg.server.models),
            remedy="Write, for example, server.models=cnn,convnet.",
        )
    if own in teachers:
        raise ConfigError(
            "server.teacher",
            expected=f"another family than model.name, {own}",
            got=repr(own),
            remedy="Let a larger family teach a smaller one, for example convnet teach cnn.",
        )
    for key, given in (("model.name", [own]), ("server.teacher", teachers)):
        if trees := [name for name in given if name in ESTIMATORS]:
            raise ConfigError(
                key,
                expected="a network",
                got=repr(trees[0]),
                remedy=f"Name {trees[0]} in server.models: it is trained on the merged set.",
            )
    for key, given in (("server.models", names), ("server.teacher", teachers)):
        for name in given:
            _check_fits(key, _settings(cfg, name), plan)


def _check_fits(key: str, cfg: Config, plan: Plan) -> None:
    try:
        new_model(cfg, plan)
    except ConfigError as error:
        raise ConfigError(
            key, expected=error.expected, got=error.got, remedy=error.remedy
        ) from error


def lesson(
    side: ServerSide, merged: SyntheticSet, round_: int
) -> tuple[TrainingConfig, Teacher | None]:
    """Return how models are trained on `merged` in `round_`, and what teaches them.

    The network `server.teacher` is trained first, once a round, as models without such a teacher
    are; the others then learn from it in place of what the method has, or ridge regression.

    Raises
    ------
    FddError
        If its training diverges.
    """
    cfg = side.cfg
    name = cfg.server.teacher
    if not name:
        return cfg.training, side.taught_by
    if side.teacher is None or side.teacher[0] != round_:
        side.teacher = (round_, _trained(merged, name, round_, as_teacher(cfg), None))
    pupil, teacher = as_pupil(cfg, side.teacher[1])
    return pupil.training, teacher


def extra_models(
    side: ServerSide, test: Split, round_: int
) -> Iterator[tuple[str, Mapping[str, Tensor], Evaluation]]:
    """Train each model on the merged set of `round_`; yield name, weights and how it does.

    The global model, where it is named too, is not trained twice.

    Raises
    ------
    FddError
        If a training diverges.
    """
    merged, names = side.merged, other_models(side.cfg, side.plan)
    if merged is None or not names:
        return
    merged = moved(merged, side.device)
    training, teacher = lesson(side, merged, round_)
    cfg = replace(side.cfg, training=training)
    for name in names:
        if name == side.cfg.server.teacher and side.teacher is not None:
            model = side.teacher[1]
        else:
            model = _trained(merged, name, round_, cfg, teacher)
        yield name, model.state_dict(), evaluate(model, test)


def other_models(cfg: Config, plan: Plan) -> list[str]:
    """Return the names of `server.models`, without that of the global model."""
    own = resolve_name(cfg.model.name, plan.feature_shape)
    return [name for name in _names(cfg) if resolve_name(name, plan.feature_shape) != own]


def _trained(
    merged: SyntheticSet, name: str, round_: int, cfg: Config, teacher: Teacher | None
) -> Network:
    progress = say_steps(f"round {round_}: training {name} on {many(len(merged), 'row')}")
    return train_family(name, merged, cfg, round_=round_, teacher=teacher, progress=progress)


def _names(cfg: Config) -> list[str]:
    return [name.strip() for name in cfg.server.models.split(",")] if cfg.server.models else []


def _teachers(cfg: Config) -> list[str]:
    return [cfg.server.teacher] if cfg.server.teacher else []


def _settings(cfg: Config, name: str) -> Config:
    return replace(cfg, model=replace(cfg.model, name=name))
