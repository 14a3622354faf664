"""Several models from one merged set: those of `server.models`, trained after the last round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from torch import Tensor

from fdd_flower.config import Config
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import ConfigError
from fdd_flower.models import resolve_name
from fdd_flower.rng import stream
from fdd_flower.strategies._log import say
from fdd_flower.strategies.base import ServerSide, new_model
from fdd_flower.training import evaluate, train_on


def check_models(cfg: Config, plan: Plan, *, distils: bool) -> None:
    """Build every model of `server.models` and throw it away.

    Raises
    ------
    ConfigError
        If one is unknown, named twice, or cannot take the records; or if clients send no sets.
    """
    names = _names(cfg)
    if names and not distils:
        raise ConfigError(
            "server.models", expected=f"nothing with strategy.name={cfg.strategy.name}",
            got=repr(cfg.server.models),
            remedy="Other models are trained on sets, and its clients send none.",
        )  # fmt: skip
    own = resolve_name(cfg.model.name, plan.feature_shape)
    if len({own, *names}) <= len(names) or "" in names:
        raise ConfigError(
            "server.models", expected=f"names with commas between, each once, and not {own}",
            got=repr(cfg.server.models),
            remedy=f"Write, say, server.models=cnn,convnet; {own} is model.name.",
        )  # fmt: skip
    for name in names:
        try:
            new_model(_settings(cfg, name), plan)
        except ConfigError as error:
            raise ConfigError(
                "server.models", expected=error.expected, got=error.got, remedy=error.remedy
            ) from error


def more_models(
    side: ServerSide, test: Split, round_: int
) -> Iterator[tuple[str, Mapping[str, Tensor], float]]:
    """Train each model on the merged set of `round_`; yield name, weights and accuracy.

    Raises
    ------
    FddError
        If a training diverges.
    """
    if side.merged is None:
        return
    for name in _names(side.cfg):
        cfg = _settings(side.cfg, name)
        model = new_model(cfg, side.plan, round_)
        rng = stream(cfg.seed, "train", round_, name)
        train_on(side.merged, model, cfg.training, rng=rng)
        accuracy = evaluate(model, test).accuracy
        say(f"{name} on the same {len(side.merged)} rows: accuracy {accuracy:.4f}")
        yield name, model.state_dict(), accuracy


def _names(cfg: Config) -> list[str]:
    return [name.strip() for name in cfg.server.models.split(",")] if cfg.server.models else []


def _settings(cfg: Config, name: str) -> Config:
    return replace(cfg, model=replace(cfg.model, name=name))
