"""A last layer that all clients' real records fit best: ridge regression on sums of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flwr.app import ArrayRecord
from torch import Tensor

from fdd_flower.device import on_host
from fdd_flower.errors import ConfigError
from fdd_flower.models.base import Network
from fdd_flower.server.finish.base import Finish, bounded_sums
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.finish.readout import Basis, features_of, give, last_linear, solve
from fdd_flower.training.finish.sums import Sums
from fdd_flower.wire.packed import tensors_of
from fdd_flower.wire.readout import basis_bytes, basis_record, read_sums, sums_bytes
from fdd_flower.wire.records import BASIS

LARGEST = 2560  # features: their products are three million numbers
LONGEST = 10  # in sums of squares of features, for the median client


class Readout(Finish):
    """Sums of the model's features over real records go up, and the last layer is fitted to them.

    The network stays as it was trained on the merged set, but for its last layer. That is fitted by
    ridge regression to all clients' real records, which enter by their sums: so it is the same
    whatever the partition, one class a client included.
    """

    did = "fitted the last layer to the sums"

    def check(self) -> None:
        """Check that there is a last layer to fit."""
        layer = last_linear(self.model, len(self.plan.classes))
        if layer is None or layer.in_features >= LARGEST:
            got = "no such layer" if layer is None else f"{layer.in_features} features"
            raise ConfigError(
                "strategy.finish",
                expected=f"another, or a network whose last layer is linear, on under {LARGEST} "
                "features",
                got=f"readout, and {got} with model.name={self.cfg.model.name}",
                remedy="Choose cnn, convnet or mlp, or a smaller model.width.",
            )

    def beside(self, model: Network, merged: SyntheticSet) -> Mapping[str, ArrayRecord]:
        """Return the basis that sums are in."""
        return {BASIS: basis_record(_basis(model, merged))}

    @property
    def down(self) -> tuple[int, str]:
        """The bytes of a basis."""
        return basis_bytes(self._dimensions), ""

    @property
    def up(self) -> int:
        """The most bytes of a client's sums."""
        return sums_bytes(self._dimensions, len(self.plan.classes))

    def read(self, record: ArrayRecord) -> dict[str, Tensor]:
        """Return a client's sums."""
        return tensors_of(read_sums(record, self._dimensions, len(self.plan.classes)))

    def learn(
        self, model: Network, merged: SyntheticSet, parts: Sequence[Mapping[str, Tensor]]
    ) -> None:
        """Fit the last layer."""
        basis = _basis(model, merged)
        coefficients = solve(bounded_sums([Sums(**part) for part in parts], longest=LONGEST), basis)
        give(coefficients, model, merged)

    @property
    def _dimensions(self) -> int:
        layer = last_linear(self.model, len(self.plan.classes))
        assert layer is not None  # by `check`
        return layer.in_features + 1


def _basis(model: Network, merged: SyntheticSet) -> Basis:
    return Basis.of(features_of(model, merged.inputs), on_host(merged.weights))
