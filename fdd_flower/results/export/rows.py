"""The rows of a run's set in the units of its data, with what is known about each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fdd_flower.data.tables.decode import frame_of
from fdd_flower.distillers.base import declares
from fdd_flower.results.predict import free_names
from fdd_flower.results.train import kept_set
from fdd_flower.run_folder.load import Run
from fdd_flower.run_folder.saved_set import Source
from fdd_flower.run_folder.trust import require_trust
from fdd_flower.schema import Schema

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a set.

    Attributes
    ----------
    x
        float32, (n, *feature_shape), in the units of the data: images from 0 to 1.
    records
        Of a table the same as records of its columns: words, whole numbers, gaps. None of others.
    targets
        float32, (n, k): class probabilities.
    weights
        float32, (n,): how many real records each row stands for, as the merger weighs them.
    sources
        Of each row the set that it came from; None: from several, or not known.
    real
        Whether rows can be real records: the distiller picked them and did not compute them.
    """

    schema: Schema
    x: np.ndarray
    records: pd.DataFrame | None
    targets: np.ndarray
    weights: np.ndarray
    sources: tuple[Source | None, ...]
    real: bool

    def __len__(self) -> int:
        return len(self.x)

    @property
    def labels(self) -> np.ndarray:
        """The most probable class of each row: int64, (n,)."""
        return self.targets.argmax(axis=1)

    @property
    def label_names(self) -> list[str]:
        """The same by name."""
        return [self.schema.classes[label] for label in self.labels]

    @property
    def label(self) -> str:
        """The column of the class: a table's own, else `label`."""
        return self.schema.label or "label"

    @property
    def soft(self) -> bool:
        """Whether a row has a probability of more than one class."""
        return bool((self.targets.max(axis=1) < 1 - 1e-6).any())

    def columns(self) -> list[str]:
        """Return names for the features of a record, flattened: `pixel_<row>_<column>`, say.

        Of a colour image `pixel_<channel>_<row>_<column>`; a table has its own names, and of a
        series with names it is `<channel>_<sample>`.
        """
        if self.schema.columns:
            return list(self.schema.features)
        if self.schema.channels:
            return self.schema.samples()
        shape = self.schema.feature_shape
        if self.schema.kind == "image" and shape[0] == 1:
            shape = shape[1:]
        stem = {"image": "pixel", "series": "value", "vector": "x"}[self.schema.kind]
        places = [place for place in np.ndindex(*shape)]
        return ["_".join([stem, *map(str, place)]) for place in places]

    def facts(self, taken: list[str]) -> dict[str, list[Any]]:
        """Return class, weight and origin of the rows by column, under names not `taken`.

        With soft labels there is a column a class more.
        """
        found: list[list[Any]] = [
            self.label_names,
            self.weights.tolist(),
            [one and one.round for one in self.sources],
            [one and one.sha256 for one in self.sources],
        ]
        wanted = [self.label, "weight", "round", "set"]
        if self.soft:
            wanted += [f"p_{name}" for name in self.schema.classes]
            found += self.targets.T.tolist()
        return dict(zip(free_names(wanted, taken), found, strict=True))

    def frame(self) -> pd.DataFrame:
        """Return a table with a line a row: the record, and then what is known about it."""
        import pandas as pd

        records = self.records
        if records is None:
            records = pd.DataFrame(self.x.reshape(len(self), -1), columns=pd.Index(self.columns()))
        return pd.concat([records, self.facts_frame(list(records.columns))], axis=1)

    def facts_frame(self, taken: list[str]) -> pd.DataFrame:
        """Return what `facts` does as a table."""
        import pandas as pd

        facts = pd.DataFrame(self.facts(taken))
        # whole numbers, with places for those that are not known
        return facts.astype({facts.columns[2]: "Int64"})


def rows_of(run: Run) -> Rows:
    """Return the rows of a run's merged set.

    Raises
    ------
    DataError
        If it has none.
    """
    saved = kept_set(run)
    schema = run.schema or saved.schema
    require_trust({"distiller": run.summary.distiller}, run.path, trust=run.trust)
    return Rows(
        schema=schema,
        x=schema.normalisation.invert(saved.set.inputs).numpy(),
        records=frame_of(saved.set.inputs, schema) if schema.columns else None,
        targets=saved.set.targets.numpy(),
        weights=saved.set.weights.numpy(),
        sources=tuple(saved.source_of(row) for row in range(len(saved.set))),
        real=bool(run.summary.distiller) and declares(run.summary.distiller, "sends_real"),
    )
