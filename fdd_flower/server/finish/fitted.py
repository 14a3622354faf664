"""A step of the whole model: as far along each client's change as is best for all records."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import cached_property

from flwr.app import ArrayRecord
from torch import Tensor

from fdd_flower.models.base import Network
from fdd_flower.rng import stream
from fdd_flower.server.finish.base import bounded_sums
from fdd_flower.server.finish.fine_tune import FineTune
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.finish.fine_tune import Change
from fdd_flower.training.finish.fitted import LONGEST, MOST, Directions, go, number
from fdd_flower.training.finish.sums import Sums, regression
from fdd_flower.wire.changes import change_bytes, directions_record
from fdd_flower.wire.packed import tensors_of
from fdd_flower.wire.readout import read_sums, sums_bytes
from fdd_flower.wire.records import BASIS

STEEPEST = 100.0  # largest square of a slope over its curvature; `STEEP`, and what rounding adds
FARTHEST = 10  # largest trace of the curvature, in those of the median client


class FittedStep(FineTune):
    """Clients measure slope and curvature along the previous changes; the server fits its step.

    Both are sums over records, so that the step is the best for all records together, however they
    are split. It goes on from where `FineTune` got.
    """

    did = "fitted the step to the measurements"

    def beside(self, model: Network, merged: SyntheticSet) -> Mapping[str, ArrayRecord]:
        """Return the changes."""
        return {BASIS: directions_record(self._directions)}

    @property
    def down(self) -> tuple[int, str]:
        """The bytes of the most changes."""
        return MOST * change_bytes(self._sizes), ""

    @property
    def up(self) -> int:
        """The most bytes of what a client measured."""
        return sums_bytes(number(self.model, MOST), 1)

    def read(self, record: ArrayRecord) -> dict[str, Tensor]:
        """Return what a client measured."""
        found = number(self.model, len(self._directions.codes))
        return tensors_of(read_sums(record, found, 1, tolerance=STEEPEST))

    def learn(
        self, model: Network, merged: SyntheticSet, parts: Sequence[Mapping[str, Tensor]]
    ) -> None:
        """Go where the loss of all records is least, by slope and curvature."""
        sums = bounded_sums([Sums(**part) for part in parts], longest=FARTHEST)
        amounts = -regression(sums)[:, 0]
        lengths = [float(change.dense(self._sizes).norm()) for change in self._changes]
        longest = LONGEST * statistics.median_low(lengths)
        go(model, self._directions.along(model), amounts, longest=longest)

    @cached_property
    def _directions(self) -> Directions:
        rng = stream(self.cfg.seed, "directions")
        return Directions.of(self.bounded(self._changes), self._sizes, rng=rng)

    @cached_property
    def _changes(self) -> list[Change]:
        return [Change(**part) for part in self.before]
