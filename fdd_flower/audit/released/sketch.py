"""What a client of the strategy `sketch` sends: exact sums over its records."""

from __future__ import annotations

import torch
from torch import Tensor

from fdd_flower.audit.protocol import Known
from fdd_flower.audit.sums.regression import regression_scores
from fdd_flower.config import Config
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import usable_classes
from fdd_flower.sketches.base import INPUTS
from fdd_flower.sketches.gram import MEANS, GramSums
from fdd_flower.sketches.integers import ONE
from fdd_flower.synthetic_set import SyntheticSet


class GramSketch:
    """The sums of features and of their products, as the server decodes them."""

    by_class = True
    noise = 0.0
    rows: SyntheticSet | None = None

    def __init__(self, records: Split, known: Known, cfg: Config) -> None:
        self._known = known
        self._kind = kind = GramSums(cfg.sketch, cfg.distiller, known.plan)
        parts, _ = usable_classes(records, cfg.distiller)
        self._total = kind.decode(kind.encode(kind.of(parts)))

    def vectors(self, records: Split) -> Tensor:
        """Return the features, and the inputs where their sums are sent too, (n, d)."""
        found = self._features(records)[:, :-1]
        sent = INPUTS in self._total.sums
        return torch.cat([found, records.inputs.flatten(1)], dim=1) if sent else found

    def observed(self) -> Tensor:
        """Return the sums of each class, (k, d)."""
        names = [name for name in (MEANS, INPUTS) if name in self._total.sums]
        return torch.cat([self._total.sums[name].float() / ONE for name in names], dim=1)

    def scores(self, records: Split, *, learned: bool = True) -> dict[str, Tensor]:
        """Return how the regression tells that the sums give."""
        del learned
        reference = self._known.reference
        return regression_scores(
            self._kind.gram(self._total),
            (self._features(records), records.labels),
            (self._features(reference), reference.labels),
            count=self._total.records,
        )

    def _features(self, records: Split) -> Tensor:
        return self._known.once("sketch", records.inputs, lambda: self._kind.phi(records.inputs))
