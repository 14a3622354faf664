"""`fdd ledger`: the list, the same as JSON, and damage named."""

from __future__ import annotations

import json

import pytest

from fdd_flower.ledger import Ledger
from tests.ledger.test_ledger import make_set


@pytest.fixture
def run(tmp_path):
    """Return a run's folder with two sets and a refusal of a hostile client in its ledger."""
    ledger = Ledger(tmp_path / "ledger")
    for client in ("ward-a", "ward-b"):
        ledger.record(make_set(len(client) + ord(client[-1])), client=client, round=1, plan="p",
                      num_bytes=2500)  # fmt: skip
    ledger.score(client="ward-b", round=1, value=0.125)
    ledger.reject(
        client="[red]x[/red]\x1b[2J", round=2, plan="p", code="bad-size",
        reason="reply.arrays: expected at most 9 bytes; got 99 bytes.", num_bytes=99,
        content=b"evil",
    )  # fmt: skip
    return tmp_path


def test_it_lists_every_reply(run, fdd):
    result = fdd("ledger", run)
    assert result.exit_code == 0
    for text in ("ward-a", "accepted", "2.50 kB", "0.125", "rejected", "bad-size",
                 "expected at most 9 bytes", "[red]x[/red]"):  # fmt: skip
        assert text in result.stdout
    assert Ledger(run / "ledger").entries()[0].sha256[:12] in result.stdout
    assert "\x1b[2J" not in result.stdout


def test_json_has_the_whole_of_it(run, fdd):
    found = json.loads(fdd("ledger", run, "--json").stdout)
    assert [entry["verdict"] for entry in found["entries"]] == ["accepted", "accepted", "rejected"]
    assert found["entries"][1]["score"] == 0.125
    assert "damaged" not in found


def test_verify_says_when_all_is_well(run, fdd):
    result = fdd("ledger", run, "--verify")
    assert result.exit_code == 0
    assert "every file is what was kept" in result.stdout


@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
@pytest.mark.parametrize("at", [0, 2])
def test_verify_names_what_is_damaged(run, fdd, at, damage):
    entry = Ledger(run / "ledger").entries()[at]
    (path,) = (run / "ledger").rglob(f"{entry.sha256}.*")
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1] + (b"" if damage == "cut" else bytes([content[-1] ^ 1])))
    result = fdd("ledger", run, "--verify")
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.stderr
    result = fdd("ledger", run, "--verify", "--json")
    assert result.exit_code == 1
    (found,) = json.loads(result.stdout)["damaged"]
    assert found["sha256"] == entry.sha256
    assert entry.sha256 in found["error"]


def test_a_damaged_index_is_one_line(run, fdd):
    (run / "ledger" / "index.sqlite").write_bytes(b"nothing" * 200)
    result = fdd("ledger", run)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert "index.sqlite" in result.stderr
