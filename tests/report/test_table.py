"""The terminal's tables."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

from fdd_flower.report.table import rounds_table, summary_table
from fdd_flower.report.units import human_bytes, human_seconds, human_share, one_line
from tests.report.samples import make_row, make_summary


def shown(table: Table) -> str:
    file = io.StringIO()
    Console(width=200, file=file).print(table)
    return file.getvalue()


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (78_432, "78.4 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (1_234_567, "1.23 MB"),
        (9_996, "10.0 kB"),
        (99_960, "100 kB"),
        (2.5e9, "2.50 GB"),
        (7e15, "7000 TB"),
    ],
)
def test_bytes_are_decimal_with_three_digits(count: float, text: str) -> None:
    assert human_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s"), (3599.6, "60 min 0 s")],
)
def test_seconds_roll_over(seconds: float, text: str) -> None:
    assert human_seconds(seconds) == text


def test_rounds_table_fits_a_terminal_and_shows_what_is_not_finite_as_a_dash() -> None:
    table = rounds_table([make_row(1), make_row(2, bytes_up=2500, loss=float("nan"))])
    text = shown(table)
    assert table.row_count == 2
    assert "2.50 kB" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "epsilon" not in text
    assert "epsilon" in shown(rounds_table([make_row(1, epsilon=1.5)]))
    assert "50.0%" in text
    assert "nan" not in text


def test_why_replies_were_rejected_is_under_the_rounds() -> None:
    codes = {"dtype": 1, "not-finite": 12, "duplicate-client": 2}
    text = shown(rounds_table([make_row(1), make_row(2, rejected=15, rejected_codes=codes)]))
    words = " ".join(text.split())
    assert "round 2: not-finite 12, duplicate-client 2, dtype 1" in words
    assert max(map(len, text.splitlines())) <= 80
    assert "rejected in" not in shown(rounds_table([make_row(1, rejected_codes={})]))


def test_summary_table_shows_markup_as_it_is() -> None:
    text = shown(summary_table(make_summary(status="failed: [red]x[/red] [/nope]")))
    assert "failed: [red]x[/red] [/nope]" in text
    assert "500 B per client" in text
    assert "dm → class-balanced → uint8" in text


def test_facts_of_a_method_that_averages_leave_out_the_set() -> None:
    text = shown(summary_table(make_summary(strategy="fedavg", distiller="", merger="", codec="")))
    assert "distiller" not in text
    assert "records per class" not in text


def test_shares_and_lines() -> None:
    assert human_share(1.0) == "100.0%"
    assert one_line("a\n b\x1b[31m", 20) == "a b\N{REPLACEMENT CHARACTER}[31m"
    assert one_line("abcdef", 4) == "abc…"
    one_line("\ud800", 4).encode()
