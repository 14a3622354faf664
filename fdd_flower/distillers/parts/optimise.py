"""The loop that every optimising distiller runs: Adam on rows, within a time budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.errors import DistillError
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.optimisers import Adam
from fdd_flower.wire.arrays import MAX_MAGNITUDE

# Yields the parts of one step's loss. Each is differentiated before the next is asked for, so
# that only one part's activations are in memory.
Objective = Callable[[int], Iterable[Tensor]]


class NonFiniteError(DistillError):
    """A loss, or what is optimised, left the finite numbers, or those that can be sent.

    Attributes
    ----------
    rows
        The last rows of each class that had a finite loss.
    kept
        The same as a finished set.
    """

    rows: list[Tensor]
    kept: SyntheticSet | None = None


def optimise(
    canvas: Canvas,
    objective: Objective,
    cfg: DistillerConfig,
    *,
    clock: Clock,
    extra: Sequence[Tensor] = (),
) -> None:
    """Minimise `objective` over the rows of `canvas`, and over `extra`, in place.

    Adam (arXiv:1412.6980) under a cosine schedule over steps or, where `distiller.seconds`
    ends first, over time. At least one step is taken.

    Raises
    ------
    NonFiniteError
        If a loss is not a finite number, a step makes a row or one of `extra` not finite, or a row
        larger than a codec takes.
    """
    adam = Adam([canvas.rows, *extra])
    good = canvas.rows.detach().clone()
    for step in range(cfg.steps):
        done = clock.progress(step, cfg.steps)
        if step and done >= 1:
            break
        rate = cfg.learning_rate * (1 + math.cos(math.pi * min(1.0, done))) / 2
        canvas.through_codec(step)
        adam.clear()
        for loss in objective(step):
            if not bool(torch.isfinite(loss)):
                raise _non_finite(f"loss at step {step}", float(loss.detach()), canvas, good, cfg)
            loss.backward()
        good.copy_(canvas.rows.detach())
        adam.step(rate)
        # No loss follows the last step, and a codec refuses such rows before a loss can show them.
        if not all(bool(torch.isfinite(part).all()) for part in (canvas.rows, *extra)):
            raise _non_finite(f"rows after step {step}", "NaN or infinity", canvas, good, cfg)
        largest = float(canvas.rows.detach().abs().max())
        if largest > MAX_MAGNITUDE:
            raise _non_finite(
                f"rows after step {step}",
                f"{largest:g}",
                canvas,
                good,
                cfg,
                expected=f"values within +-{MAX_MAGNITUDE:g}, which a codec takes",
            )


def _non_finite(
    what: str,
    got: object,
    canvas: Canvas,
    good: Tensor,
    cfg: DistillerConfig,
    *,
    expected: str = "finite numbers",
) -> NonFiniteError:
    error = NonFiniteError(
        f"{cfg.name} {what}",
        expected=expected,
        got=got,
        remedy=f"Lower distiller.learning-rate (now {cfg.learning_rate:g}).",
    )
    error.rows = list(good.split(canvas.sizes))
    return error
