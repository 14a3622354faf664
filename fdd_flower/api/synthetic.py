"""A synthetic set that knows its schema: it shows itself, and becomes what other tools read."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from fdd_flower import synthetic_set
from fdd_flower.api.labels import names_of
from fdd_flower.data.base import refuse
from fdd_flower.data.tables.decode import frame_of
from fdd_flower.report.units import human_bytes
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.run_folder.saved_set import SavedSet, Source, load_set
from fdd_flower.schema import Column, Schema
from fdd_flower.wording import many

if TYPE_CHECKING:
    import pandas as pd
    from torch.utils.data import TensorDataset

COLUMNS = "columns"  # of `meta`: the names of a table's columns, in JSON
CHANNELS = "channels"  # of `meta`: of a series samples a second, and the channels' names, in JSON
LABEL = "label"  # of `meta`: the column of a table's classes and their public shares, in JSON
BYTES = "bytes"  # of `meta`: what the set took in a message


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class SyntheticSet(synthetic_set.SyntheticSet):
    """A small weighted data set that stands for a larger one, with the way back to its units.

    `fdd_flower.distill` makes one; `SyntheticSet.load` reads one that was saved, or the
    `synthetic.safetensors` of a run. In a notebook it shows itself.

    Attributes
    ----------
    inputs
        float32 tensor, (n, *feature_shape), normalised: what a model takes.
    targets
        float32 tensor, (n, k): class probabilities.
    weights
        float32 tensor, (n,): how many real records each row stands for.
    schema
        Names of the classes and columns, the shape of a record, and the constants that it was
        normalised by.
    meta
        Notes: the distiller and the codec, say.
    sources
        Of the merged set of a run: which clients' sets it was merged from, by their hashes.

    Examples
    --------
    >>> import fdd_flower as fdd
    >>> small = fdd.SyntheticSet.load("small.safetensors")  # doctest: +SKIP
    >>> x, y = small.to_numpy()  # doctest: +SKIP
    """

    schema: Schema
    sources: tuple[Source, ...] = ()

    def __repr__(self) -> str:
        """Return what the set is, in one line."""
        return f"SyntheticSet({self.summary()})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from fdd_flower.api.notebook import set_html

        return set_html(self)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of `targets`."""
        return self.schema.classes

    @property
    def num_bytes(self) -> int:
        """Bytes of the message that carried it; of a merged set those of its tensors."""
        if BYTES in self.meta:
            return int(self.meta[BYTES])
        return sum(4 * t.numel() for t in (self.inputs, self.targets, self.weights))

    def summary(self) -> str:
        """Return rows, classes, shape and bytes in words.

        Examples
        --------
        >>> SyntheticSet.load("small.safetensors").summary()  # doctest: +SKIP
        '100 rows of 10 classes for 1,437 real records; images of 1x8x8; 7.9 kB'
        """
        held, k = int(self.labels.unique().numel()), len(self.classes)
        # the weights of a merged set are relative
        records = "" if self.sources else f" for {float(self.weights.sum()):,.0f} real records"
        return (
            f"{many(len(self), 'row')} of {'' if held == k else f'{held} of '}{many(k, 'class')}"
            f"{records}; "
            f"{shape_in_words(self.schema)}; {human_bytes(self.num_bytes)}"
        )

    def show(self, path: str | Path | None = None) -> None:
        """Show the set: here in a notebook, elsewhere as a picture in the system's viewer.

        Parameters
        ----------
        path
            Write the picture, a PNG, there instead.
        """
        from fdd_flower.api.notebook import in_notebook, set_picture

        if path is not None:
            write_atomic(Path(path).expanduser(), set_picture(self))
        elif in_notebook():
            from IPython.display import display

            display(self)
        else:
            from io import BytesIO

            from PIL import Image

            print(repr(self))
            Image.open(BytesIO(set_picture(self))).show()

    def to_numpy(self, *, weights: bool = False) -> tuple[np.ndarray, ...]:
        """Return inputs and labels in the units of the data.

        Parameters
        ----------
        weights
            Return how many records each row stands for too: `sample_weight` in scikit-learn.

        Returns
        -------
        x
            float32, (n, *feature_shape). Images that were uint8 are from 0 to 1.
        y
            (n,): the most probable class of each row by name; int64 if all names are numbers.
        w
            float32, (n,), by option.

        Examples
        --------
        >>> x, y, w = small.to_numpy(weights=True)  # doctest: +SKIP
        >>> RandomForestClassifier().fit(x, y, sample_weight=w)  # doctest: +SKIP
        """
        x = self.schema.normalisation.invert(self.inputs).numpy()
        found = (x, names_of(self.labels.numpy(), self.classes))
        return (*found, self.weights.numpy().copy()) if weights else found

    def to_frame(self, *, label: str = "class", weight: str = "weight") -> pd.DataFrame:
        """Return a table: one row each: a record in the units of the data, its class and weight.

        Of a table with a schema: categories among their levels, integers whole, within range.

        Parameters
        ----------
        label, weight
            What to call the columns of the class and of the weight.

        Raises
        ------
        DataError
            If a feature is called so.

        Examples
        --------
        >>> small.to_frame().to_csv("synthetic.csv", index=False)  # doctest: +SKIP
        """
        import pandas as pd

        x, y, w = self.to_numpy(weights=True)
        flat = x.reshape(len(x), -1)
        if self.schema.columns:
            frame = frame_of(self.inputs, self.schema)
        else:
            names = self.schema.samples() or [f"x{i}" for i in range(flat.shape[1])]
            frame = pd.DataFrame(flat, columns=pd.Index(names))
        columns = list(frame.columns)
        taken = [name for name in (label, weight) if name in columns]
        if taken or label == weight:
            raise refuse(
                "to_frame",
                expected="names for class and weight that no other column has",
                got=taken[0] if taken else label,
                remedy='Choose others, say label="class_" and weight="weight_".',
            )
        return frame.assign(**{label: y, weight: w})

    def to_torch_dataset(self, *, soft: bool = False, weights: bool = False) -> TensorDataset:
        """Return a data set for a `DataLoader`, in the space of models: inputs are normalised.

        Parameters
        ----------
        soft
            Class probabilities, float32 (k,), in place of labels, int64; cross-entropy takes both.
        weights
            A third tensor: how many records each row stands for.
        """
        from torch.utils.data import TensorDataset

        parts = [self.inputs, self.targets if soft else self.labels]
        return TensorDataset(*parts, *([self.weights] if weights else []))

    def save(self, path: str | Path) -> Path:
        """Write the set into one safetensors file, and return its path.

        The file is that of a run's `synthetic.safetensors`; docs/wire-format.md says what is in
        it. The same set gives the same bytes.
        """
        meta = dict(self.meta)
        if self.schema.columns:
            meta[COLUMNS] = json.dumps([column.to_dict() for column in self.schema.columns])
        if self.schema.channels:
            meta[CHANNELS] = json.dumps([self.schema.rate, *self.schema.channels])
        if self.schema.label:
            meta[LABEL] = json.dumps([self.schema.label, *self.schema.prior])
        saved = SavedSet(
            set=replace(self, meta=meta),
            classes=self.classes,
            normalisation=self.schema.normalisation,
            sources=self.sources,
        )
        target = Path(path).expanduser()
        write_atomic(target, saved.to_bytes())
        return target

    @classmethod
    def load(cls, path: str | Path) -> SyntheticSet:
        """Read what `save` wrote, or the `synthetic.safetensors` of a run.

        Raises
        ------
        DataError
            If the file is missing, damaged, or holds something else.
        """
        return from_saved(load_set(Path(path).expanduser()))


def from_saved(saved: SavedSet, schema: Schema | None = None) -> SyntheticSet:
    """Return a set that was read from a file; `schema` is what its run knows, if it has one."""
    meta = dict(saved.set.meta)
    named = json.loads(meta.pop(COLUMNS, "[]"))
    label, *prior = json.loads(meta.pop(LABEL, '[""]'))
    rate, *channels = json.loads(meta.pop(CHANNELS, "[0.0]"))
    known = replace(
        saved.schema,
        columns=tuple(map(Column.from_dict, named)),
        label=str(label),
        prior=tuple(map(float, prior)),
        channels=tuple(map(str, channels)),
        rate=float(rate),
    )
    return SyntheticSet(
        inputs=saved.set.inputs,
        targets=saved.set.targets,
        weights=saved.set.weights,
        meta=meta,
        origin=saved.set.origin,
        schema=schema or known,
        sources=saved.sources,
    )


def shape_in_words(schema: Schema) -> str:
    """Return what a record is.

    >>> from fdd_flower.schema import Normalisation
    >>> one = Normalisation(mean=(0.0,), std=(1.0,))
    >>> shape_in_words(Schema(classes=(), feature_shape=(1, 8, 8), normalisation=one))
    'images of 1x8x8'
    """
    shape = schema.feature_shape
    if schema.kind == "image":
        return f"images of {'x'.join(map(str, shape))}"
    if schema.kind == "series":
        return f"series of {many(shape[0], 'channel')} and {many(shape[1], 'step')}"
    return f"vectors of {many(torch.Size(shape).numel(), 'feature')}"
