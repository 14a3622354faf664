"""How many steps a set is trained for, of how many rows, and how large."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from fdd_flower.config import TrainingConfig

SMALL = 256  # rows below which a set is small


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Steps of `batch_size` rows each, at a rate of at most `learning_rate`.

    Attributes
    ----------
    steps
        All of them; or at most, where training ends when it has converged.
    slack
        The loss that 200 steps must take off, relative to the 200 before, or training has
        converged; None: take all steps.
    """

    steps: int
    batch_size: int
    learning_rate: float
    slack: float | None = None

    @classmethod
    def of(cls, cfg: TrainingConfig, rows: int) -> Pace:
        """Return what `cfg` says for a set of `rows`; for what it leaves open, what was measured.

        A small set is drawn from hundreds of times over: batches of a quarter of the rows and
        fewer, larger steps reach the same accuracy in a third of the time. Steps that the
        settings name are all taken (docs/decisions/0008-shorter-training.md).
        """
        chosen = SHORT if rows < SMALL else LONG
        return cls(
            steps=cfg.steps or chosen.steps,
            batch_size=cfg.batch_size or chosen.batch_size,
            learning_rate=cfg.learning_rate or chosen.learning_rate,
            slack=None if cfg.steps else chosen.slack,
        )


SHORT = Pace(steps=1000, batch_size=32, learning_rate=0.006, slack=0.1)
LONG = Pace(steps=1500, batch_size=128, learning_rate=0.003, slack=0.05)


class Schedule:
    """The rate of each step: constant until the loss has settled, then down to 0 along a cosine.

    "Warm-up, stable, decay" without the warm-up (Hu et al. 2024, arXiv:2404.06395); differs: the
    loss says when the decay begins, not the number of steps. Without `pace.slack` the cosine is
    all there is.

    Attributes
    ----------
    step
        Steps that were taken.
    end
        Steps in all, as far as is known.
    """

    def __init__(self, pace: Pace) -> None:
        self.step, self.end, self._pace = 0, pace.steps, pace
        # where the decay begins at the latest
        self._top = 0 if pace.slack is None else round(pace.steps / (1 + DECAY))
        self._loss: Tensor | float = 0.0
        self._means: list[float] = []

    @property
    def rate(self) -> float:
        """The size of the next step."""
        if self.step < self._top:
            return self._pace.learning_rate
        share = (self.step - self._top) / (self.end - self._top)
        return self._pace.learning_rate * (1 + math.cos(math.pi * share)) / 2

    def took(self, excess: Tensor) -> None:
        """Count a step; `excess` is its loss less the least that its targets allow, a scalar."""
        self.step += 1
        if self.step > self._top:
            return
        self._loss = self._loss + excess
        if self.step % WINDOW == 0:
            self._means.append(float(self._loss) / WINDOW)
            self._loss = 0.0
            if len(self._means) > 1 and self._settled(*self._means[-2:]):
                self._top, self.end = self.step, round(self.step * (1 + DECAY))

    def _settled(self, before: float, now: float) -> bool:
        assert self._pace.slack is not None
        return now > before * (1 - self._pace.slack)


WINDOW = 200  # steps whose losses are averaged: fewer stop by chance
DECAY = 0.3  # steps of the decay, relative to those before it
