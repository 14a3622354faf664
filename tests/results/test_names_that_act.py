"""Names and settings that a spreadsheet, a Markdown reader or a terminal would act on."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tomli_w

from fdd_flower.report.units import one_line
from fdd_flower.results.predict import table_bytes

FORMULAS = ["=cmd()", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1"]
NUMBERS = ["-1", "+1", "-1.5e3", "1"]
MARKUP = "x`<script>alert(1)</script>\n# [a](javascript:b)|```"


@pytest.mark.parametrize("where", ["cell", "header"])
@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_of_a_table_is_a_formula(where: str, text: str) -> None:
    frame = pd.DataFrame({"a": [text]} if where == "cell" else {text: [1.0]})
    found = table_bytes(frame, ".csv").decode()
    cells = [cell for row in csv.reader(io.StringIO(found, newline="")) for cell in row]
    assert f"'{text}".replace("\r", " ") in cells
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r\n"]
    kept = pd.read_parquet(io.BytesIO(table_bytes(frame, ".parquet")))
    pd.testing.assert_frame_equal(kept, frame)  # no spreadsheet opens it


def test_numbers_and_other_text_stay_as_they_are() -> None:
    frame = pd.DataFrame({"label": [*NUMBERS, "a=b", ""], "x": [-1.5, 2, 3, 4, 5, float("nan")]})
    assert table_bytes(frame, ".csv") == frame.to_csv(index=False).encode()


def test_a_card_holds_no_markup_of_a_strangers_run(digits: Path, fdd: Any, tmp_path: Path) -> None:
    summary = json.loads((digits / "summary.json").read_text())
    for key in ("strategy", "merger", "codec", "model", "data", "partition", "status"):
        summary[key] = MARKUP
    summary["versions"] = {MARKUP: MARKUP}
    summary["accuracy_by_model"] = {MARKUP: 0.5}
    (digits / "summary.json").write_text(json.dumps(summary))
    config = tomllib.loads((digits / "config.toml").read_text())
    config["model"]["name"] = MARKUP
    (digits / "config.toml").write_text(tomli_w.dumps(config))
    found = fdd("export", digits, "--to", "csv", "--out", tmp_path / "out")
    assert found.exit_code == 0, found.output
    for card in (tmp_path / "out").rglob("README.md"):
        body = card.read_text().split("\n---\n", 1)[1]
        prose = re.sub(r"(?m)^```python\n(.*?)^```$", "", body, flags=re.DOTALL)
        prose = re.sub(r"`[^`\n]*`", "", prose)
        assert "<script" not in prose
        assert "](javascript" not in prose
        assert not re.search(r"(?m)^# \[", body)
        assert body.count("```") == 2 * body.count("```python")


@pytest.mark.parametrize(
    "text",
    [
        "a\x1b[31mred\x07",
        "a\x9b31m",
        "\u202egnp.exe",
        "a\u2066b\u2069",
        "a\r\nb",
        "a\x00b",
        "\ud800",
    ],
)
def test_what_moves_a_cursor_or_turns_text_round_is_not_printed(text: str) -> None:
    found = one_line(text, 60)
    assert found.isprintable()
    assert one_line(text * 10_000, 60).isprintable()
    assert len(one_line(text * 10_000, 60)) <= 60
