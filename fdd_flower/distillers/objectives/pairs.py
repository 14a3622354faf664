"""The pair term: how the columns of a table go together, class by class."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from fdd_flower.distillers.objectives.moments import mismatch, moments_of
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.pipeline import Job

WEIGHT = 10.0  # beside the moments of features; chosen on held-out records (decision 12)


class AsTheyAre:
    """A view of the columns themselves."""

    def embed(self, inputs: Tensor) -> Tensor:
        """Return them."""
        return inputs


class PairTerm:
    """Distance of means and covariances of the columns themselves; of what is no table, nothing.

    Features of random networks say little of single pairs of columns. Of the class as a whole:
    what goes together within a group of neighbours is not what goes together in the class.
    """

    def __init__(self, job: Job, canvas: Canvas) -> None:
        self.canvas = canvas
        table = len(job.plan.feature_shape) == 1
        self._real = [
            moments_of(AsTheyAre(), part.inputs, "covariance") for part in job.parts if table
        ]

    def losses(self) -> Iterator[Tensor]:
        """Yield the loss of a step, a class at a time."""
        for part, real in enumerate(self._real):
            yield WEIGHT * mismatch(self.canvas.show(part), real)
