"""The set as a folder that `datasets.load_dataset` opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fdd_flower.results.export.images import png_images
from fdd_flower.results.export.rows import Rows

FILE = "data/train-00000-of-00001.parquet"


def write_hugging_face(rows: Rows, folder: Path) -> None:
    """Write the Parquet file of a split `train`.

    An image is a PNG in the column `image`, a series a list of channels in `series`; a vector has
    a column a feature. The class is a ClassLabel, in a table's own column or in `label`.
    """
    from datasets import ClassLabel, Dataset, Features, Value
    from datasets.utils import disable_progress_bars, enable_progress_bars

    columns, features = _inputs(rows)
    facts = rows.facts(list(columns))
    label, weight, round_, set_, *shares = facts
    features |= {
        label: ClassLabel(names=list(rows.schema.classes)),
        weight: Value("float32"),
        round_: Value("int32"),
        set_: Value("string"),
        **{name: Value("float32") for name in shares},
    }
    facts[label] = rows.labels.tolist()
    path = folder / FILE
    path.parent.mkdir()
    disable_progress_bars()
    try:
        Dataset.from_dict({**columns, **facts}, features=Features(features)).to_parquet(path)
    finally:
        enable_progress_bars()


def _inputs(rows: Rows) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns that hold the records, and what they are."""
    from datasets import Image, List, Value

    if rows.schema.kind == "image" and rows.x.shape[1] in (1, 3):
        pictures = [{"bytes": png, "path": None} for png in png_images(rows)]
        return {"image": pictures}, {"image": Image()}
    if rows.records is not None:
        kinds = {"O": "string", "i": "int64", "f": "float32"}
        found = {str(name): column.astype(object) for name, column in rows.records.items()}
        return (
            {name: column.where(column.notna(), None).tolist() for name, column in found.items()},
            {str(name): Value(kinds[kind.kind]) for name, kind in rows.records.dtypes.items()},
        )
    if rows.schema.kind == "vector":
        names, flat = rows.columns(), rows.x.reshape(len(rows), -1)
        return (
            {name: flat[:, place] for place, name in enumerate(names)},
            {name: Value("float32") for name in names},
        )
    kind: Any = Value("float32")
    for _ in rows.schema.feature_shape:
        kind = List(kind)
    return {rows.schema.kind: rows.x.tolist()}, {rows.schema.kind: kind}
