"""Numbers as tables have them: limits, times of day, an accountant's losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fdd_flower.config import DataConfig
from fdd_flower.data import load_dataset
from fdd_flower.data.tables.cells import cells_of
from fdd_flower.data.tables.draft import draft_columns
from fdd_flower.data.tables.files import read_frame
from fdd_flower.data.tables.quantities import limits, quantities, quantity
from fdd_flower.data.tables.sample import draft_schema
from fdd_flower.errors import DataError
from fdd_flower.schema import Column


@pytest.mark.parametrize(
    ("cells", "comma", "expected"),
    [
        (["<0.5", "2", "> 30", "≤1", ">=4"], False, [0.5, 2, 30, 1, 4]),
        (["<0,5", "2,25"], True, [0.5, 2.25]),
        (["14:30", "00:15", None], False, [14.5, 0.25, np.nan]),
        (["1:00:36", "123:30"], False, [1.01, 123.5]),
        (["($1,040.50)", "-$2", "(3 €)", "+€4", "5"], False, [-1040.5, -2, -3, 4, 5]),
        (["(4)", "4 (2)"], False, None),
        (["14:30", "3"], False, None),
        (["14:60"], False, None),
        (["<", "1"], False, None),
        (["<b>", "1"], False, None),
    ],
)
def test_they_are_what_people_mean(cells: list, comma: bool, expected: list | None) -> None:
    values = pd.Series(cells, dtype=object)
    found = quantities(values, comma=comma)
    if expected is None:
        assert found is None
        return
    assert found == pytest.approx(expected, nan_ok=True)
    if not comma:  # a decimal comma cannot be told from thousands by one cell
        each = [np.nan if cell is None else quantity(cell) for cell in cells]
        assert each == pytest.approx(expected, nan_ok=True)


def test_durations_are_hours() -> None:
    values = pd.Series(pd.to_timedelta(["90min", None, "1s"]))
    assert quantities(values) == pytest.approx([1.5, np.nan, 1 / 3600], nan_ok=True)


def test_limits_among_numbers_are_said_and_bands_are_words(tmp_path: Path) -> None:
    crp = ["<5", "7.5", "12", "31", "<5", ">40", "8"] * 6
    age = ["<30", "30-60", ">60"] * 14
    dose = ["<5", ">9"] * 21
    frame = pd.DataFrame({"crp": crp, "age": age, "dose": dose, "class": ["a", "b"] * 21})
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    draft = draft_schema(path, "class")
    kinds = {column.name: column.kind for column in draft.schema.columns}
    assert kinds == {"crp": "number", "age": "category", "dose": "category"}
    assert draft.notes == {"crp": "18 limits such as <5 count as their number"}
    cells = cells_of("t", read_frame(path), draft.schema.columns)
    assert cells[:7, 0].tolist() == [5, 7.5, 12, 31, 5, 40, 8]
    cfg = DataConfig(name="table", path=str(path), label="class")
    notes = load_dataset(cfg, seed=0).notes
    assert "limits such as <5 count as their number: crp (18)" in notes
    assert limits(pd.Series([1.0, 2.0])) == 0


def test_times_of_day_are_drafted_in_hours_and_a_bad_one_is_named() -> None:
    frame = pd.DataFrame({"seen": [f"{i % 24:02d}:{i % 60:02d}" for i in range(50)]})
    (column,) = draft_columns("t", frame)
    assert (column.kind, column.unit) == ("number", "hours")
    frame.loc[7, "seen"] = "noon"
    with pytest.raises(DataError, match="'noon' in row 8"):
        cells_of("t", frame, (column,))
    with pytest.raises(DataError, match="'9:15' in row 3"):
        cells_of("t", pd.DataFrame({"x": ["1", "2", "9:15"]}), (Column(name="x"),))
    with pytest.raises(DataError, match=r"'14:3' in row 2, .* and 1 more"):
        cells_of("t", pd.DataFrame({"x": ["<1", "14:3", "2", "b"]}), (Column(name="x"),))


def test_a_spreadsheet_keeps_text_that_looks_like_a_number(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    frame = pd.DataFrame({"plz": ["01067", "10115"], "age": [63, 37], "income": [1.5, None]})
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    found = read_frame(tmp_path / "t.xlsx")
    assert found["plz"].tolist() == ["01067", "10115"]
    assert found["age"].dtype == np.int64
    assert found["income"].dtype == np.float64


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        (["36.6 °C", "37 °C", "38.2 °C"], "°C"),
        (["70kg", "1,071.5kg", "-3kg"], "kg"),
        (["5 mg/l", "10  mg/l", "7 mg/l", "<2 mg/l"], "mg/l"),
        (["1 child", "2 children", "3 children"], ""),
        (["1a", "2a", "3a"], ""),
        (["10-20", "20-30", "30-40"], ""),
        (["a 1", "b 1", "c 1"], ""),
        (["1", "2", "3"], ""),
    ],
)
def test_numbers_may_have_their_unit_with_them(cells: list[str], unit: str) -> None:
    values = pd.Series(cells * 10, dtype=object)
    (column,) = draft_columns("t", values.to_frame("x"))
    assert column.unit == unit
    assert (column.kind in ("number", "integer")) == bool(unit or cells == ["1", "2", "3"])
    if unit:
        bare = pd.Series([cell.replace(unit, "") for cell in cells], dtype=object)
        found = cells_of("t", pd.DataFrame({"x": cells}), (column,))[:, 0]
        assert found.tolist() == pytest.approx(quantities(bare))
        with pytest.raises(DataError, match="'5 miles' in row 1"):
            cells_of("t", pd.DataFrame({"x": ["5 miles"]}), (column,))


def test_two_numbers_in_a_cell_want_two_columns() -> None:
    frame = pd.DataFrame({"bp": [f"{100 + i}/{60 + i % 7}" for i in range(60)]})
    with pytest.raises(DataError, match="each of the two numbers a column"):
        draft_columns("t", frame)
