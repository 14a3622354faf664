"""Predictions of a run's model for new records, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fdd_flower.run_folder.files import write_atomic

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (".csv", ".parquet")
BATCH = 128


@torch.no_grad()
def probabilities(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return class probabilities (n, k) of normalised inputs (n, *feature_shape)."""
    network.eval()
    return torch.cat([network(batch).softmax(dim=1) for batch in inputs.split(BATCH)])


def predictions(names: Sequence[str | int], shares: Tensor, classes: Sequence[str]) -> pd.DataFrame:
    """Return a table: `record`, a column per class, and `predicted`, the most probable class.

    Where a class has the name of one of the two, that one gets a `_` at its end.
    """
    import pandas as pd

    record, predicted = free_names(("record", "predicted"), classes)
    frame = pd.DataFrame(shares.numpy(), columns=pd.Index(classes))
    frame.insert(0, record, list(names))
    frame[predicted] = [classes[place] for place in shares.argmax(dim=1).tolist()]
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
