"""What a bench leaves: tables, a plot, pictures, the sets."""

from __future__ import annotations

from importlib.util import find_spec

from fdd_flower.bench.distil.settings import Bench
from fdd_flower.bench.distil.table import header, markdown, plain
from fdd_flower.bench.folder import MARKDOWN, PLOT, TABLE, BenchDir
from fdd_flower.bench.records import Material
from fdd_flower.bench.rows import Row
from fdd_flower.data.base import Dataset
from fdd_flower.report.figures import draw_synthetic
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.run_folder.saved_set import SavedSet
from fdd_flower.synthetic_set import SyntheticSet


def write(folder: BenchDir, bench: Bench, material: Material, rows: list[Row]) -> None:
    """Write both tables and the plot, as far as there are rows."""
    if not rows:
        return
    head = header(bench, tested=len(material.test), trained=len(material.train))
    write_atomic(folder.path / TABLE, plain(head, rows).encode())
    write_atomic(folder.path / MARKDOWN, markdown(head, rows).encode())
    if _there("matplotlib"):
        from fdd_flower.bench.distil.plot import draw

        draw(rows, head[0], folder.path / PLOT)


def write_set(
    folder: BenchDir, dataset: Dataset, part: SyntheticSet, name: str, *, picture: bool
) -> None:
    """Write a decoded set and, by choice, its picture.

    Both are copies for people. The core runs where their libraries are missing, and leaves
    them out there; the encoded set is kept anyway.
    """
    classes, scale = dataset.classes, dataset.normalisation
    if _there("safetensors"):
        saved = SavedSet(set=part, classes=classes, normalisation=scale)
        write_atomic(folder.tensors(name), saved.to_bytes())
    if picture and _there("matplotlib"):
        draw_synthetic(part, classes, scale, folder.picture(name), schema=dataset.schema)


def _there(package: str) -> bool:
    return find_spec(package) is not None
