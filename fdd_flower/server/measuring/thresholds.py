"""Thresholds for a wanted recall or precision: rows of the merged set choose, or nothing does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fdd_flower.config import Config, EvaluationConfig
from fdd_flower.device import moved, on_host
from fdd_flower.mergers.prior import under_prior
from fdd_flower.methods.base import Method
from fdd_flower.progress_log import say
from fdd_flower.report.units import one_line
from fdd_flower.server.extra_models import lesson
from fdd_flower.server.side import ServerSide
from fdd_flower.training.cross_fit import cross_fitted
from fdd_flower.training.metrics import Choosing
from fdd_flower.wording import many

OTHERWISE = "Every record gets its most probable class"


def wanted(cfg: EvaluationConfig) -> str:
    """Return what a threshold is asked for, in words; empty: none is."""
    if cfg.recall:
        return f"a recall of {cfg.recall:g}"
    return f"a precision of {cfg.precision:g}" if cfg.precision else ""


def cannot_choose(cfg: Config, method: Method) -> str:
    """Return why a run will choose no threshold, known before it begins; empty where it may.

    It is no error: a bench compares methods that can with some that cannot.
    """
    if not wanted(cfg.evaluation) or method.distils or method.synthesises:
        return ""
    return (
        f"rows of a merged set choose it, and strategy.name={cfg.strategy.name} trains its model "
        f"on none. {OTHERWISE}; strategy.name=fdd has such a set"
    )


def choosing_rows(side: ServerSide, name: str, positive: int, round_: int) -> Choosing | str:
    """Return the rows of the merged set of `round_`, each scored by a model that never saw it.

    For a precision the classes have the shares that the schema's prior names, or else those of the
    counts that clients claim.

    Parameters
    ----------
    name
        Of a family.
    positive
        The class, counted from 0.

    Returns
    -------
    Choosing | str
        Where there is nothing to choose by: why, and the remedy.

    Raises
    ------
    FddError
        If a training diverges.
    """
    cfg, plan, merged = side.cfg, side.plan, side.merged
    if merged is None:
        return (
            f"rows of a merged set choose it, and the run made none. {OTHERWISE}; name a model "
            "in server.models that is trained on a set, or take another strategy"
        )
    shares = (plan.prior or side.claimed) if cfg.evaluation.precision else ()
    if cfg.evaluation.precision and not shares:
        return (
            "a precision depends on how frequent the classes are, and nobody says that. "
            f"{OTHERWISE}; name their shares as the schema's prior, or ask for a recall"
        )
    held = np.bincount(on_host(merged.labels).numpy(), minlength=merged.num_classes)
    if held.min() < 2:
        rare = one_line(plan.classes[int(held.argmin())], 80)
        return (
            "a row is scored by a model that learned from others of its class, and the set has "
            f"{many(int(held.min()), 'row')} of {rare}. {OTHERWISE}; raise distiller.ipc or "
            "distiller.bytes, or lower distiller.min-records"
        )
    there = moved(merged, side.device)
    training, teacher = lesson(side, there, round_)
    say(f"choosing a threshold of {name}: each row by a model trained on the others")
    scores = cross_fitted(
        name, there, replace(cfg, training=training), round_=round_, teacher=teacher
    )
    own, weights = merged.targets[:, positive], under_prior(merged, shares).weights
    return Choosing(
        score=scores[:, positive],
        own=on_host(own).double().numpy(),
        weights=on_host(weights).double().numpy(),
    )
