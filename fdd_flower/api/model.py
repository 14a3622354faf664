"""A trained model that knows its schema, so that it takes data in the units of the data."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from fdd_flower.api.inputs import model_inputs
from fdd_flower.api.labels import names_of
from fdd_flower.device import device_of, moved, on_host
from fdd_flower.results.predict import probabilities
from fdd_flower.schema import Schema


class Model(nn.Module):
    """A trained classifier with the names of its classes and the constants of its data.

    It is a torch module: called, it takes normalised inputs and returns logits. `predict` and
    `predict_proba` take data in its own units, as scikit-learn's do.

    Parameters
    ----------
    network
        From inputs (n, *schema.feature_shape) to logits (n, number of classes).
    schema
        Of the data that the network was trained for.

    Examples
    --------
    >>> model = fdd.train(small, "convnet")  # doctest: +SKIP
    >>> model.predict(x_test)[:3]  # doctest: +SKIP
    array([3, 7, 0])
    """

    def __init__(self, network: nn.Module, schema: Schema) -> None:
        super().__init__()
        self.network, self.schema = network, schema

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (n, k) of normalised inputs (n, *schema.feature_shape)."""
        return self.network(inputs)

    def predict_proba(self, x: object) -> np.ndarray:
        """Return class probabilities: float32, (n, k), a column for each of `schema.classes`.

        Parameters
        ----------
        x
            Records in the units of the data: a NumPy array, a tensor, or a DataFrame with the
            columns of the training data.

        Raises
        ------
        DataError
            If these are not records of the schema.
        """
        inputs = model_inputs(x, self.schema)
        there = moved(inputs, device_of(self.network))
        return on_host(probabilities(self.network, there)).numpy()

    def predict(self, x: object) -> np.ndarray:
        """Return the name of each record's class, (n,); int64 if all names are numbers.

        Parameters
        ----------
        x
            As for `predict_proba`.

        Raises
        ------
        DataError
            If these are not records of the schema.
        """
        return names_of(self.predict_proba(x).argmax(axis=1), self.schema.classes)

    def extra_repr(self) -> str:
        """Return the shape and the number of classes, for `repr`."""
        return f"feature_shape={self.schema.feature_shape}, classes={len(self.schema.classes)}"
