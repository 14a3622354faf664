"""Ledgers of earlier versions: they open, and nothing is added to them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fdd_flower.errors import DataError
from fdd_flower.ledger import Entry, Ledger
from fdd_flower.ledger.verify import verify
from tests.ledger.test_ledger import make_set

LINE = {
    "round": 1,
    "client": "7",
    "plan": "p",
    "verdict": "accepted",
    "reason": "",
    "sha256": "",
    "bytes": 321,
}


def old(folder: Path) -> Ledger:
    """Return a ledger as version 0.1.0 left it: one set, one refusal."""
    ledger = Ledger(folder)
    sha = ledger.record(make_set(), client="7", round=1, plan="p", num_bytes=321)
    (folder / "index.sqlite").unlink()
    refused = LINE | {"client": "8", "verdict": "rejected", "reason": "a\nb", "bytes": 9}
    lines = [json.dumps(line) for line in (LINE | {"sha256": sha}, refused)]
    (folder / "index.jsonl").write_text("\n".join(lines) + "\n")
    return ledger


def test_it_opens_with_its_sets(tmp_path: Path) -> None:
    ledger = old(tmp_path)
    first, second = ledger.entries()
    assert second == Entry(
        round=1,
        client="8",
        plan="p",
        verdict="rejected",
        code="",
        reason="a\nb",
        sha256="",
        bytes=9,
        score=None,
    )
    assert len(ledger.load(first.sha256)) == 2
    assert list(ledger.accepted(1)) == ["7"]
    assert list(verify(ledger, ledger.entries())) == []


def test_nothing_is_added_to_it(tmp_path: Path) -> None:
    ledger = old(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for change in (
        lambda: ledger.record(make_set(1.0), client="7", round=2, plan="p", num_bytes=1),
        lambda: ledger.reject(client="7", round=2, plan="p", reason="r", num_bytes=1),
        lambda: ledger.score(client="7", round=1, value=1.0),
        lambda: ledger.forget("7"),
    ):
        with pytest.raises(DataError, match="An earlier version made it"):
            change()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"round": "1"}', "7"])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    ledger = old(tmp_path)
    with (tmp_path / "index.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match="line 3"):
        ledger.entries()


def test_a_line_with_a_wrong_type_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.jsonl").write_text(json.dumps(LINE | {"bytes": "many"}) + "\n")
    with pytest.raises(DataError, match=r"line 1, key 'bytes'"):
        Ledger(tmp_path).entries()
