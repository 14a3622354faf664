"""A step of the whole model: the mean of what fine-tuning changed at each client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from flwr.app import ArrayRecord
from torch import Tensor

from fdd_flower.device import on_host
from fdd_flower.distillers.base import room_in_mosaic
from fdd_flower.errors import ConfigError
from fdd_flower.models.base import Network
from fdd_flower.server.finish.base import Finish, counts
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.finish.fine_tune import Change, can_be_tuned, step
from fdd_flower.wire.arrays import MAX_WEIGHT, MIN_WEIGHT
from fdd_flower.wire.changes import change_bytes, read_change
from fdd_flower.wire.codecs.base import build_codec
from fdd_flower.wire.packed import tensors_of
from fdd_flower.wire.records import PEERS, set_record

LONGEST = 3  # in lengths of a change, for the median client


class FineTune(Finish):
    """Changes of the weights by training on real records go up, and the server adds their mean.

    Clients get the merged set with the model, coded as theirs are, and rehearse on its rows of the
    classes that they have too few records of.
    """

    did = "took a step along the changes"

    def check(self) -> None:
        """Check that the model is trained by gradients."""
        if not can_be_tuned(self.model):
            raise ConfigError(
                "strategy.finish",
                expected="another, or a network that is trained by gradients",
                got=f"fine-tune with model.name={self.cfg.model.name}, which is not",
                remedy="Choose cnn, convnet or mlp.",
            )

    def beside(self, model: Network, merged: SyntheticSet) -> Mapping[str, ArrayRecord]:
        """Return the merged set."""
        codec = build_codec(self.cfg.codec, self.plan.feature_shape)
        room = room_in_mosaic(codec, self.plan.feature_shape)
        sent = on_host(merged if room is None else _thinned(merged, room))
        # a message holds no others; as float32 the bound itself is below it
        weights = sent.weights.clamp(2 * MIN_WEIGHT, MAX_WEIGHT)
        return {PEERS: set_record(replace(sent, weights=weights), codec)}

    @property
    def down(self) -> tuple[int, str]:
        """Nothing that is known before there is a set."""
        return 0, "the merged set"

    @property
    def up(self) -> int:
        """The most bytes of a client's change."""
        return change_bytes(self._sizes)

    def read(self, record: ArrayRecord) -> dict[str, Tensor]:
        """Return a client's change."""
        return tensors_of(read_change(record, self._sizes))

    def learn(
        self, model: Network, merged: SyntheticSet, parts: Sequence[Mapping[str, Tensor]]
    ) -> None:
        """Add the mean change."""
        step(model, self.bounded([Change(**part) for part in parts]))

    def bounded(self, parts: Sequence[Change]) -> list[tuple[float, Change]]:
        """Return changes and what they count for; none far more, or far longer, than the median."""
        records = [float(part.records) for part in parts]
        lengths = [float(part.dense(self._sizes).norm()) for part in parts]
        return list(zip(counts(records, lengths, longest=LONGEST), parts, strict=True))

    @property
    def _sizes(self) -> list[int]:
        return [parameter.numel() for parameter in self.model.parameters()]


def _thinned(merged: SyntheticSet, most: int) -> SyntheticSet:
    """Return `merged` with at most so many rows of a class, which stand for all of them.

    They lie evenly among the rows of the class, and so come from all clients alike.
    """
    kept, weights = torch.ones_like(merged.labels, dtype=torch.bool), merged.weights.clone()
    for label in merged.labels.unique():
        rows = (merged.labels == label).nonzero()[:, 0]
        if len(rows) > most:
            kept[rows] = False
            kept[rows[torch.arange(most, device=rows.device) * len(rows) // most]] = True
            weights[rows] *= len(rows) / most
    return SyntheticSet(
        inputs=merged.inputs[kept], targets=merged.targets[kept], weights=weights[kept]
    )
