"""`fdd schema`: what it drafts can be edited, and runs."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from fdd_flower.config import DataConfig
from fdd_flower.data import load_dataset
from fdd_flower.data.schema_toml import read_schema


@pytest.fixture
def table(tmp_path):
    """Return the path of a table with an id, words, a gap and a sentinel."""
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame(
        {
            "id": [f"P{i:05}" for i in range(n)],
            "pulse": rng.normal(70, 9, n).round(1),
            "beats": np.where(rng.random(n) < 0.1, 9999, rng.poisson(4, n)),
            "race": rng.choice(["asian", "black", "other", "white"], n),
            "sick": rng.choice(["no", "yes"], n),
        }
    )
    frame.loc[5, "race"] = None
    frame.to_csv(tmp_path / "patients.csv", index=False)
    return tmp_path / "patients.csv"


def test_what_it_writes_is_what_a_run_reads(fdd, table, tmp_path):
    out = tmp_path / "schema.toml"
    done = fdd("schema", table, "--label", "sick", "--drop", "id", "--out", out)
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith(f"schema: {out}\n")
    assert "taken for missing: '9999'" in done.stdout
    schema = read_schema(str(out))
    assert [column.kind for column in schema.columns] == [
        *("ignore", "number", "integer", "category"),
    ]
    cfg = DataConfig(name="table", path=str(table), schema=str(out))
    found = load_dataset(cfg, seed=0)
    assert found.schema.features == schema.features
    assert len(schema.features) == 1 + 2 + 4 + 2  # pulse; beats and gap; races, other and gap


def test_text_is_refused_by_name_and_nothing_is_written(fdd, table, tmp_path):
    frame = pd.read_csv(table).assign(note=[f"was seen {i}" for i in range(120)])
    frame.to_csv(table, index=False)
    done = fdd("schema", table, "--label", "sick", "--out", tmp_path / "s.toml")
    assert done.exit_code == 2
    assert "columns 'id', 'note'" in done.stderr
    assert '--drop "id" --drop "note"' in done.stderr
    assert not (tmp_path / "s.toml").exists()


def test_json_has_what_the_table_has(fdd, table):
    done = fdd("schema", table, "--label", "sick", "--drop", "id", "--json")
    told = json.loads(done.stdout)
    assert (told["rows"], told["label"], told["classes"]) == (120, "sick", ["no", "yes"])
    assert told["columns"][3]["levels"] == ["asian", "black", "other", "white"]
    assert told["missing"]["race"] == pytest.approx(1 / 120)


@pytest.mark.parametrize(
    ("words", "told"),
    [(("--label", "ill"), "one of the columns id, pulse"), (("--drop", "x"), "--drop: expected")],
)
def test_bad_input_is_one_line(fdd, table, words, told):
    done = fdd("schema", table, *(() if "--label" in words else ("--label", "sick")), *words)
    assert done.exit_code == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
