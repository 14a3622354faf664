"""The set as a NumPy archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fdd_flower.results.export.rows import Rows


def write_npz(rows: Rows, folder: Path) -> None:
    """Write `synthetic.npz`: `x` and `y` as `data.name=npz` reads them, and what is known beside.

    `round` is -1 and `set` empty where a row came from several sets.
    """
    np.savez_compressed(
        folder / "synthetic.npz",
        x=rows.x,
        y=rows.labels,
        targets=rows.targets,
        weights=rows.weights,
        classes=np.array(rows.schema.classes),
        columns=np.array(rows.schema.features, dtype=str),
        round=np.array([one.round if one else -1 for one in rows.sources]),
        set=np.array([one.sha256 if one else "" for one in rows.sources], dtype=str),
    )
