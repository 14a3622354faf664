"""Codes of digits keep their zeros, and one column with decimal commas is one column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fdd_flower.data.tables.cells import cells_of
from fdd_flower.data.tables.codes import are_codes
from fdd_flower.data.tables.decode import frame_of
from fdd_flower.data.tables.draft import draft_columns
from fdd_flower.data.tables.encode import table_inputs
from fdd_flower.data.tables.files import read_frame
from fdd_flower.data.tables.sample import draft_schema


def test_one_column_with_decimal_commas(tmp_path: Path) -> None:
    values = [f"{i},{i % 10}5" for i in range(40)]
    text = "".join(f"{value};{'ja' if i % 2 else 'nein'}\n" for i, value in enumerate(values))
    (tmp_path / "t.csv").write_text("Wert;Klasse\n" + text)
    frame = read_frame(tmp_path / "t.csv", text="Klasse")
    assert list(frame.columns) == ["Wert", "Klasse"]
    (column,) = draft_columns("t", frame.drop(columns="Klasse"))
    assert column.kind == "number"
    cells = cells_of("t", frame, (column,))[:, 0]
    np.testing.assert_allclose(cells, [i + (i % 10) / 10 + 0.05 for i in range(40)])


@pytest.mark.parametrize("gap", ["", "?"])
def test_codes_keep_their_zeros_there_and_back(gap: str, tmp_path: Path) -> None:
    codes = ["01067", "10115", gap, "00907"] * 20
    text = "".join(f"{code},{i},{'ab'[i % 2]}\n" for i, code in enumerate(codes))
    (tmp_path / "t.csv").write_text("plz,age,class\n" + text)
    draft = draft_schema(tmp_path / "t.csv", "class")
    plz, age = draft.schema.columns
    assert (plz.kind, plz.levels, plz.gaps) == ("category", ("00907", "01067", "10115"), True)
    assert age.kind == "integer"
    assert "codes" in draft.notes["plz"]
    frame = read_frame(tmp_path / "t.csv", text="class")
    back = frame_of(table_inputs("t", frame, draft.schema), draft.schema)
    assert back["plz"].tolist() == [None if code == gap else code for code in codes]
    assert "\n01067," in back.to_csv(index=False)
    # what a spreadsheet made of them
    lost = pd.DataFrame({"plz": [1067, 10115, 907], "age": 1})
    cells = cells_of("t", lost, draft.schema.columns)
    assert cells[:, 0].tolist() == [1, 2, 0]


@pytest.mark.parametrize("cells", [["0", "10", "7"], ["0.5", "01.5"], ["-01", "02"], ["01", "x"]])
def test_what_is_no_code(cells: list[str]) -> None:
    assert not are_codes(pd.Series(cells, dtype=object))
