"""How many steps a set is trained for, of how many rows, and how large."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fdd_flower.config import TrainingConfig

SMALL = 256  # rows below which a set is small


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Steps of `batch_size` rows each, at a rate that falls from `learning_rate` along a cosine."""

    steps: int
    batch_size: int
    learning_rate: float

    @classmethod
    def of(cls, cfg: TrainingConfig, rows: int) -> Pace:
        """Return what `cfg` says for a set of `rows`; for what it leaves open, what was measured.

        A small set is drawn from hundreds of times over: batches of a quarter of the rows and
        fewer, larger steps reach the same accuracy in a third of the time
        (docs/decisions/0008-shorter-training.md).
        """
        chosen = SHORT if rows < SMALL else LONG
        return cls(
            steps=cfg.steps or chosen.steps,
            batch_size=cfg.batch_size or chosen.batch_size,
            learning_rate=cfg.learning_rate or chosen.learning_rate,
        )

    def rate(self, step: int) -> float:
        """Return the size of `step`, counted from 0."""
        return self.learning_rate * (1 + math.cos(math.pi * step / self.steps)) / 2


SHORT = Pace(steps=1000, batch_size=32, learning_rate=0.006)
LONG = Pace(steps=1500, batch_size=128, learning_rate=0.003)
