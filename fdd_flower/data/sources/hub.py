"""Whatever Hugging Face's `datasets` reads: a name on the hub, a folder or file, saved Arrow."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from fdd_flower.config import DataConfig
from fdd_flower.data.alone.table import no_schema
from fdd_flower.data.base import SOURCES, Agreed, Source, refuse, shown
from fdd_flower.data.hub.kinds import TABLE, choose
from fdd_flower.data.hub.load import load_splits
from fdd_flower.data.hub.records import arrays_source, frame_of
from fdd_flower.data.sources.paths import given_path
from fdd_flower.data.tables.rows import rows_source
from fdd_flower.schema import Schema


@SOURCES.register("hub")
def hub(cfg: DataConfig, *, schema: Schema | None = None, agreed: Agreed | None = None) -> Source:
    """Return the records of a data set: images as `folder`, series, or cells as `table`.

    `cfg.path` is a name on the hub, or a local file or folder. `cfg.image` names the column of the
    image and `cfg.columns` the others to use; by default what there is, see `choose`. Columns
    `cfg.subject` and `cfg.column` say whose a record is and which group it is of.

    Parameters
    ----------
    schema
        What the columns of a table are; None: it is drafted from the rows.
    agreed
        Given, each record to train on is read alone.

    Raises
    ------
    DataError
        If `datasets` cannot read it, a column is missing, or the records do not fit together.
    """
    if not cfg.path or os.path.isabs(os.path.expanduser(cfg.path)):
        given_path(cfg)
    path = os.path.expanduser(cfg.path)
    label = cfg.label if schema is None else schema.label
    cfg = replace(cfg, label=label)
    with tempfile.TemporaryDirectory(prefix="fdd-") as folder:
        scratch = Path(folder)
        splits, notes = load_splits(path, label, scratch, alone=agreed is not None)
        parts = list(splits.values())
        if schema is not None:
            wanted = [column.name for column in schema.columns if column.kind != "ignore"]
            cfg = replace(cfg, columns=",".join(wanted))
        chosen = choose(path, dict(parts[0].features), cfg)
        if chosen.ignored:
            notes.append(f"{chosen.kind} records; columns left out: {shown(chosen.ignored)}")
        if chosen.kind == TABLE:
            if agreed is not None and schema is None:
                raise no_schema(path)
            kept = [label, *chosen.columns, *(n for n in (cfg.subject, cfg.column) if n)]
            frames = [
                frame_of(
                    part,
                    [name for name in kept if name in part.column_names],
                    label,
                    alone=agreed is not None,
                )
                for part in parts
            ]
            names = [f"{path}, split {name}" for name in splits]
            found = rows_source(names, frames, cfg, schema)
        elif cfg.window:
            raise refuse(
                "data.window",
                expected="0 with data.name=hub, whose records are whole",
                got=cfg.window,
                remedy="Save the recordings for data.name=series.",
            )
        else:
            found = arrays_source(path, parts, chosen.kind, chosen.columns, cfg, scratch, agreed)
    return replace(found, notes=(*found.notes, *notes))
