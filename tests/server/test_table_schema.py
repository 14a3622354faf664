"""A run keeps to the schema it began with, whatever its file says later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fdd_flower.data import _load
from fdd_flower.data.schema_toml import read_schema, schema_text
from fdd_flower.data.tables.sample import draft_schema
from fdd_flower.errors import DataError
from fdd_flower.ledger import Ledger
from fdd_flower.run_folder.load import load_run
from fdd_flower.run_folder.resume import check_schema
from fdd_flower.run_folder.run_dir import RunDir
from fdd_flower.schema import Column, Schema
from fdd_flower.server.forget import forget, scope_of
from fdd_flower.server.server_run import ServerRun
from tests.server.test_resume import Killed, killing, result, resume, settings_of, start


def edit(path: Path) -> None:
    """Give the schema's column of ages another scale."""
    schema = read_schema(str(path))
    columns = [replace(c, scale=2 * c.scale) if c.name == "age" else c for c in schema.columns]
    path.write_text(schema_text(replace(schema, columns=tuple(columns))))
    _load.cache_clear()  # as in a process of its own


def test_an_edited_schema_stops_a_resumed_run_and_not_a_forgotten_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    sick = rng.integers(0, 2, 150)
    frame = pd.DataFrame({"age": rng.normal(50, 9, 150) + sick, "pain": sick, "sick": sick})
    frame.to_csv(tmp_path / "t.csv", index=False)
    schema = tmp_path / "schema.toml"
    schema.write_text(schema_text(draft_schema(tmp_path / "t.csv", "sick").schema))
    text, folder = schema.read_text(), tmp_path / "run"
    settings = settings_of(folder) | {
        "num-server-rounds": 2,
        "data.name": "table",
        "data.path": str(tmp_path / "t.csv"),
        "data.schema": str(schema),
        "model.name": "logistic",
        "training.start": "scratch",
    }
    with monkeypatch.context() as patch:
        killing(patch, ServerRun, "_append", 1, after=True)
        with pytest.raises(Killed):
            start(settings)
    said = [message for message in caplog.messages if message.startswith("[fdd] ")]
    read = "table, 120 training and 30 test records, 2 columns"  # a server by itself says it too
    assert said[0] == f"[fdd] data: {read} each"
    assert said[1].startswith("[fdd] data: 2 classes: 0 (")
    edit(schema)
    with pytest.raises(DataError, match=r"column 'age': expected as in .*began"):
        resume(folder)
    schema.write_text(text)
    _load.cache_clear()
    resume(folder)

    run = load_run(folder)
    found = [run.path]
    for name in ("plain", "edited"):
        scope = scope_of(run, Ledger(folder / "ledger").entries(), "1")
        found.append(forget(run, "1", scope, tmp_path / name))
        edit(schema)
    assert result(found[1]) == result(found[2]) != result(found[0])


def test_rounding_is_no_change_and_classes_are(tmp_path: Path) -> None:
    column = Column(name="age", centre=0.1 + 0.2)
    schema = Schema.of_table((column,), classes=("a", "b"), label="y")
    run = RunDir.create(tmp_path / "run")
    check_schema(run.path, schema)  # a folder that has none yet
    run.write_schema(schema)
    check_schema(run.path, replace(schema, columns=(replace(column, centre=0.3),)))
    with pytest.raises(DataError, match=r"schema: classes.*1 more"):
        check_schema(run.path, replace(schema, classes=("a", "c"), prior=(0.5, 0.5)))
    with pytest.raises(DataError, match="column 'dose'"):
        check_schema(run.path, replace(schema, columns=(column, Column(name="dose"))))
