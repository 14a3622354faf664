"""Predictions of a run's model for new records, as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fdd_flower.errors import ConfigError
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.wording import many

if TYPE_CHECKING:
    import pandas as pd

    from fdd_flower.run_folder.load import Run

FORMATS = (".csv", ".parquet")
BATCH = 128


@torch.no_grad()
def probabilities(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return class probabilities (n, k) of normalised inputs (n, *feature_shape)."""
    network.eval()
    return torch.cat([network(batch).softmax(dim=1) for batch in inputs.split(BATCH)])


@dataclass(frozen=True, slots=True)
class Cut:
    """From which probability on a record is called the positive one of two classes."""

    positive: int
    value: float


def cut_of(run: Run, model: str, asked: float | None) -> Cut | None:
    """Return the threshold for one of the models of `run`; None: the most probable class counts.

    Parameters
    ----------
    model
        Its name; empty: the run's own.
    asked
        The threshold that a user asks for; None: what the run chose, if it did.

    Raises
    ------
    ConfigError
        If one is asked for and there are not two classes.
    """
    assert run.schema is not None  # or there is nothing to predict
    classes = run.schema.classes
    positive = 1 if run.answers is None else run.answers.positive
    if asked is None:
        found = run.summary.thresholds.get(model or run.summary.model, {})
        chosen = float(found.get("value", math.nan))
        return Cut(positive, chosen) if math.isfinite(chosen) and len(classes) == 2 else None
    if len(classes) != 2:
        raise ConfigError(
            "--threshold",
            expected=f"none with {many(len(classes), 'class')}",
            got=asked,
            remedy="Leave it out: the most probable class counts.",
        )
    return Cut(positive, asked)


def called(shares: Tensor, cut: Cut | None) -> Tensor:
    """Return the class that each record is called, int64 (n,): by `cut`, else the most probable."""
    if cut is None:
        return shares.argmax(dim=1)
    # in double, as the threshold was chosen: it may be the probability of a record
    reached = shares[:, cut.positive].double() >= cut.value
    return torch.where(reached, cut.positive, 1 - cut.positive)


def predictions(
    names: Sequence[str | int],
    shares: Tensor,
    classes: Sequence[str],
    *,
    cut: Cut | None = None,
    beside: Mapping[str, Sequence[object]] | None = None,
) -> pd.DataFrame:
    """Return a table: `record`, what is `beside` it, a column a class, and `predicted`: its class.

    Where a class has the name of another column, that one gets a `_` at its end.
    """
    import pandas as pd

    more = dict(beside or {})
    record, predicted, *others = free_names(("record", "predicted", *more), classes)
    frame = pd.DataFrame(shares.numpy(), columns=pd.Index(classes))
    for place, (name, values) in enumerate(zip(others, more.values(), strict=True)):
        frame.insert(place, name, list(values))
    frame.insert(0, record, list(names))
    frame[predicted] = [classes[place] for place in called(shares, cut).tolist()]
    return frame


def free_names(wanted: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Return the names `wanted`, each with as many `_` at its end as set it apart from `taken`.

    >>> free_names(["label", "weight"], ["age", "weight"])
    ['label', 'weight_']
    """
    used, found = set(taken), []
    for name in wanted:
        while name in used:
            name += "_"
        used.add(name)
        found.append(name)
    return found


def table_bytes(frame: pd.DataFrame, suffix: str) -> bytes:
    """Return a table as a file that ends in `suffix`, one of `FORMATS`."""
    memory, table = BytesIO(), frame if suffix.lower() == ".parquet" else without_formulas(frame)
    if suffix.lower() == ".parquet":
        table.to_parquet(memory, index=False)
    else:
        table.to_csv(memory, index=False)
    return memory.getvalue()


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of which no text is a formula to a spreadsheet.

    Text that begins like one, in a header too, gets a `'` before it, and is then text; what is a
    number stays.
    """
    from pandas.api.types import is_numeric_dtype

    texts = [name for name in frame.columns if not is_numeric_dtype(frame[name])]
    plain = frame.assign(**{name: frame[name].map(_plain) for name in texts})
    return plain.rename(columns={name: _plain(name) for name in frame.columns})


def _plain(value: object) -> object:
    if not isinstance(value, str):
        return value
    value = value.replace("\r", " ")  # pandas does not quote it, and readers begin a line there
    if not value.lstrip().startswith(("=", "+", "-", "@")):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table whole, in the form that the ending of `path` says.

    Raises
    ------
    OSError
        If the folder cannot be written, or the disk is full.
    """
    write_atomic(path, table_bytes(frame, path.suffix))
