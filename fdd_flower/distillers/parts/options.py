"""Refusing options that do not fit, by name, before any work."""

from __future__ import annotations

from dataclasses import replace

import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.device import device_of
from fdd_flower.distillers.base import Plan, declares
from fdd_flower.distillers.budget.room import check_room
from fdd_flower.distillers.parts.trained import build_embedder
from fdd_flower.distillers.parts.unused import check_unused
from fdd_flower.errors import ConfigError
from fdd_flower.schema import kind_of
from fdd_flower.wire.codecs.base import Codec, tunes
from fdd_flower.wording import many

SMALLEST = 2  # pixels per side of a packed image
FIRST = "dm"  # the default distiller, in a first round that has no peers yet


def check_options(cfg: DistillerConfig, feature_shape: tuple[int, ...], *, rounds: int) -> None:
    """Check what is known before the first round.

    Raises
    ------
    ConfigError
        If an option does not fit the records, the distiller or the number of rounds.
    """
    _check_packing(cfg, feature_shape)
    _check_start(cfg, feature_shape)
    check_unused(cfg, feature_shape)
    for index in range(len(cfg.pool.split(","))):
        build_embedder(cfg, feature_shape, 2, seed=0, index=index)
    if cfg.peers and not declares(cfg.name, "joint"):
        raise ConfigError(
            "distiller.peers",
            expected=f"false for {cfg.name}, which works class by class",
            got="true",
            remedy="Leave it false, or choose a joint distiller such as krr.",
        )
    if cfg.peers and rounds < 2:
        raise ConfigError(
            "distiller.peers",
            expected="at least 2 rounds",
            got=rounds,
            remedy="Peers are the other clients' rows of the round before: add a round.",
        )
    if cfg.fresh and rounds < 2:
        raise ConfigError(
            "distiller.fresh",
            expected="at least 2 rounds",
            got=rounds,
            remedy="It deals the records out to several rounds: add a round, or leave it false.",
        )
    if cfg.labels == "global" and rounds < 2:
        raise ConfigError(
            "distiller.labels",
            expected="at least 2 rounds for labels of the global model",
            got=rounds,
            remedy="It has learned nothing in the first round: add a round, or choose local.",
        )


def settings_of_round(cfg: DistillerConfig, round_: int) -> DistillerConfig:
    """Return the distiller's settings of a round: in the first nobody has learned anything yet.

    There are no peers, and the global model's labels would say nothing. So `FIRST` stands in for a
    distiller that needs peers: it works class by class.
    """
    if round_ > 1:
        return cfg
    labels = "hard" if cfg.labels == "global" else cfg.labels
    if cfg.peers:
        return replace(cfg, name=FIRST, peers=False, labels=labels)
    return replace(cfg, labels=labels)


def uses_model(cfg: DistillerConfig) -> bool:
    """Whether a client that distils by `cfg` has a use for the weights of the global model."""
    return "global" in (cfg.embedder, cfg.labels)


def _check_packing(
    cfg: DistillerConfig, feature_shape: tuple[int, ...], codec: Codec | None = None
) -> None:
    if cfg.packing <= 1:
        return
    kind = kind_of(feature_shape)
    if kind == "vector":
        raise ConfigError(
            "distiller.packing",
            expected="1 for records that are neither images nor series",
            got=f"{cfg.packing} for records of shape {feature_shape}",
            remedy="Leave it at 1 for tables.",
        )
    if min(feature_shape[1:]) // cfg.packing < SMALLEST:
        least, size = "pixels per side for each image", "x".join(map(str, feature_shape[1:]))
        raise ConfigError(
            "distiller.packing",
            expected=f"at least {SMALLEST} {least if kind == 'image' else 'steps for each series'}",
            got=f"{cfg.packing} for records of {size}",
            remedy="Lower distiller.packing.",
        )
    if kind == "series" and codec is not None and tunes(codec, feature_shape):
        raise ConfigError(
            "distiller.packing",
            expected="1 with a codec for series, which leaves high frequencies out itself",
            got=cfg.packing,
            remedy="Leave it at 0, or choose the codec uint8.",
        )


def _check_start(cfg: DistillerConfig, feature_shape: tuple[int, ...]) -> None:
    if cfg.start == "sharp" and kind_of(feature_shape) != "image":
        raise ConfigError(
            "distiller.start",
            expected="sharp for images only, since it restores their fine detail",
            got=f"sharp for records of shape {feature_shape}",
            remedy="Leave it at kmeans.",
        )


def check_plan(cfg: DistillerConfig, plan: Plan) -> None:
    """Check what a distillation itself needs of its plan.

    Raises
    ------
    ConfigError
        If the plan lacks something that an option needs, or the option does not fit the records.
    """
    _check_packing(cfg, plan.feature_shape, plan.codec)
    _check_start(cfg, plan.feature_shape)
    check_unused(cfg, plan.feature_shape)
    if not plan.classes:
        raise ConfigError(
            "plan.classes",
            expected="at least one class",
            got="none",
            remedy="Name the classes of the federation.",
        )
    if cfg.peers and plan.peers is None:
        raise ConfigError(
            "distiller.peers",
            expected="other clients' rows of the round before",
            got=f"none in round {plan.round}",
            remedy="Distil class by class in the first round; see settings_of_round.",
        )
    for key, value in (("embedder", cfg.embedder), ("labels", cfg.labels)):
        if value == "global":
            _check_model(f"distiller.{key}", plan)
    check_room(cfg, plan)


def _check_model(key: str, plan: Plan) -> None:
    if plan.model is None:
        raise ConfigError(
            key,
            expected="a global model in the plan",
            got="none",
            remedy="Choose random, trained or local, which need none.",
        )
    blank = torch.zeros(1, *plan.feature_shape, device=device_of(plan.model))
    with torch.no_grad():
        outputs = plan.model.eval()(blank).shape[1]
    if outputs != len(plan.classes):
        raise ConfigError(
            key,
            expected=f"a model with an output for each of {many(len(plan.classes), 'class')}",
            got=f"{outputs} outputs",
            remedy="Train the global model on the classes of the plan.",
        )
