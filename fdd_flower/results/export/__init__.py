"""A run's set and model as plain files that others can open, with cards that say what they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from fdd_flower.data.schema_toml import schema_text
from fdd_flower.errors import ConfigError
from fdd_flower.results.export.archive import write_npz
from fdd_flower.results.export.cards import write_dataset_card, write_model_card
from fdd_flower.results.export.hugging_face import write_hugging_face
from fdd_flower.results.export.images import write_images
from fdd_flower.results.export.rows import Rows, rows_of
from fdd_flower.results.export.table import write_csv, write_parquet
from fdd_flower.run_folder.load import Run
from fdd_flower.run_folder.new_file import new_folder
from fdd_flower.run_folder.run_dir import MODEL, SUMMARY

FORMATS: dict[str, Callable[[Rows, Path], None]] = {
    "images": write_images,
    "npz": write_npz,
    "csv": write_csv,
    "parquet": write_parquet,
    "huggingface": write_hugging_face,
}
MODEL_FOLDER = "model"
SCHEMA = "schema.toml"


def export(run: Run, to: str, out: Path) -> Rows:
    """Write the set of `run` in the form `to` into a new folder, and return its rows.

    The folder has a card of the set (README.md), the run's summary.json, and in `model` the
    weights of its model with a card of their own; of a table each has its schema.toml too. After an
    error there is no folder.

    Raises
    ------
    FddError
        If the form is unknown or does not suit the records, the run has no set, or the folder
        cannot be made.
    """
    if to not in FORMATS:
        raise ConfigError(
            "--to",
            expected=f"one of {', '.join(FORMATS)}",
            got=repr(to),
            remedy="Choose one of them.",
        )
    rows = rows_of(run)
    with new_folder(out) as folder:
        FORMATS[to](rows, folder)
        write_dataset_card(run, rows, to, folder)
        shutil.copyfile(run.path / SUMMARY, folder / SUMMARY)
        if (run.path / MODEL).exists():
            (folder / MODEL_FOLDER).mkdir()
            shutil.copyfile(run.path / MODEL, folder / MODEL_FOLDER / MODEL)
            write_model_card(run, rows, folder / MODEL_FOLDER)
        if rows.schema.label:
            for place in (folder, folder / MODEL_FOLDER):
                if place.is_dir():
                    text = schema_text(rows.schema)
                    (place / SCHEMA).write_text(text, encoding="utf-8", newline="\n")
    return rows
