"""A client's own set of the round before, kept in Flower's per-run client state."""

from __future__ import annotations

import torch
from flwr.app import ArrayRecord, Context

from fdd_flower.distillers.base import Plan
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.records import to_array_record

KEY = "fdd-synthetic-set"


def remember(context: Context, part: SyntheticSet) -> None:
    """Keep `part` for the next round; it never leaves the client in this form."""
    arrays = {"inputs": part.inputs, "targets": part.targets, "weights": part.weights}
    context.state[KEY] = to_array_record({k: v.numpy() for k, v in arrays.items()})


def recall(context: Context, plan: Plan) -> SyntheticSet | None:
    """Return the set of the round before, or None where there is none that fits the plan."""
    record = context.state.get(KEY)
    if not isinstance(record, ArrayRecord):
        return None
    inputs, targets, weights = (
        torch.from_numpy(record[name].numpy().copy()) for name in ("inputs", "targets", "weights")
    )
    part = SyntheticSet(inputs=inputs, targets=targets, weights=weights)
    fits = (part.feature_shape, part.num_classes) == (plan.feature_shape, len(plan.classes))
    return part if fits else None
