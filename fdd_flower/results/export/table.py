"""The set as one table: features, label, weight and origin."""

from __future__ import annotations

from pathlib import Path

from fdd_flower.results.export.rows import Rows
from fdd_flower.results.predict import table_bytes


def write_csv(rows: Rows, folder: Path) -> None:
    """Write `synthetic.csv`."""
    (folder / "synthetic.csv").write_bytes(table_bytes(rows.frame(), ".csv"))


def write_parquet(rows: Rows, folder: Path) -> None:
    """Write `synthetic.parquet`."""
    (folder / "synthetic.parquet").write_bytes(table_bytes(rows.frame(), ".parquet"))
