"""A client's own set of the round before: from which the next round starts.

It is the set before the codec's loss, which the server never sees, and so cannot give back.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from fdd_flower.client.memory import Memory
from fdd_flower.client.side import ClientSide
from fdd_flower.distillers.base import Plan
from fdd_flower.ledger import content_hash
from fdd_flower.synthetic_set import SyntheticSet

KEY = "fdd-synthetic-set"
_PARTS = ("inputs", "targets", "weights")


class OwnSet:
    """The last set of one client in one run."""

    def __init__(self, side: ClientSide) -> None:
        self._memory = Memory(side, KEY, lambda tensors: content_hash(_set_of(tensors)))

    def remember(self, part: SyntheticSet) -> None:
        """Keep `part` for the next round."""
        self._memory.remember({name: getattr(part, name) for name in _PARTS})

    def recall(self, plan: Plan) -> SyntheticSet | None:
        """Return the set of the last round before `plan.round`; None where there is none.

        Neither is there where it does not fit the plan, or its file is damaged.
        """
        tensors = self._memory.recall()
        if tensors is None:
            return None
        part = _set_of(tensors)
        fits = (part.feature_shape, part.num_classes) == (plan.feature_shape, len(plan.classes))
        return part if fits else None


def _set_of(tensors: Mapping[str, Tensor]) -> SyntheticSet:
    inputs, targets, weights = (tensors[name] for name in _PARTS)
    return SyntheticSet(inputs=inputs, targets=targets, weights=weights)
