"""Whether rows fit: into a mosaic, and into the byte budget."""

from __future__ import annotations

import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.base import Plan, room_in_mosaic
from fdd_flower.distillers.budget.budget import COARSEST
from fdd_flower.errors import ConfigError
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import Codec, Tunable, array_bytes


def check_room(cfg: DistillerConfig, plan: Plan) -> None:
    """Check what can be known without records: no budget can hold less than one row.

    Raises
    ------
    ConfigError
        If a class may get more rows than a mosaic holds, or `distiller.bytes` is too small for any
        set.
    """
    _check_mosaic(cfg, plan)
    if cfg.bytes:
        _check_bytes(cfg, plan)


def _check_mosaic(cfg: DistillerConfig, plan: Plan) -> None:
    most = room_in_mosaic(plan.codec, plan.feature_shape)
    ipc = 1 if cfg.bytes else cfg.ipc  # a byte budget asks for what has room
    if most is not None and ipc > most:
        raise ConfigError(
            "distiller.ipc",
            expected=f"at most {most} images of {plan.feature_shape} in one mosaic of this codec",
            got=ipc,
            remedy="Lower distiller.ipc, or choose the codec uint8.",
        )


def _check_bytes(cfg: DistillerConfig, plan: Plan) -> None:
    if plan.codec is None:
        raise ConfigError(
            "distiller.bytes",
            expected="a codec to count them with",
            got="none",
            remedy="Give the plan the codec that the set will travel through.",
        )
    least = smallest_reply(plan, plan.codec)
    if cfg.bytes < least:
        raise ConfigError(
            "distiller.bytes",
            expected=f"at least {least} for one row of one class through the codec "
            f"{type(plan.codec).__name__}",
            got=cfg.bytes,
            remedy="Raise distiller.bytes: a set needs a row for each class.",
        )


def smallest_reply(plan: Plan, codec: Codec) -> int:
    """Return the bytes of the smallest reply of all: one flat row, as coarse as `codec` can be."""
    if isinstance(codec, Tunable):
        codec = codec.at_quality(COARSEST).at_resolution(1)
    row = SyntheticSet(
        inputs=torch.zeros(1, *plan.feature_shape),
        targets=torch.eye(1, len(plan.classes)),
        weights=torch.ones(1),
    )
    return array_bytes(codec.encode(row))
