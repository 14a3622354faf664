"""`fdd ledger`: the list, the same as JSON, and damage named."""

from __future__ import annotations

import json

import pytest

from fdd_flower.ledger import Ledger
from fdd_flower.run_folder.run_dir import RunDir
from fdd_flower.run_folder.saved_set import Source
from fdd_flower.schema import Normalisation
from fdd_flower.synthetic_set import concatenate
from tests.ledger.test_ledger import make_set


@pytest.fixture
def run(tmp_path):
    """Return a run's folder with two sets and a refusal of a hostile client in its ledger."""
    ledger = Ledger(tmp_path / "ledger")
    for client in ("ward-a", "ward-b"):
        ledger.record(
            make_set(len(client) + ord(client[-1])),
            client=client,
            round=1,
            plan="p",
            num_bytes=2500,
        )
    ledger.score(client="ward-b", round=1, value=0.125)
    ledger.reject(
        client="[red]x[/red]\x1b[2J",
        round=2,
        plan="p",
        code="bad-size",
        reason="reply.arrays: expected at most 9 bytes; got 99 bytes.",
        num_bytes=99,
        content=b"evil",
    )
    return tmp_path


def test_it_lists_every_reply(run, fdd):
    result = fdd("ledger", run)
    assert result.exit_code == 0
    for text in (
        "ward-a",
        "accepted",
        "2.50 kB",
        "0.125",
        "rejected",
        "bad-size",
        "expected at most 9 bytes",
        "[red]x[/red]",
    ):
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
    assert "every file matches its hash" in result.stdout


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


@pytest.fixture
def merged(run):
    """Return the run, with the set that was merged from what it accepted."""
    ledger = Ledger(run / "ledger")
    sources = [Source(entry.round, entry.sha256) for entry in ledger.entries()[:2]]
    set_ = concatenate([ledger.load(source.sha256) for source in sources])
    scale = Normalisation(mean=(0.0,), std=(1.0,))
    classes = tuple(map(str, range(set_.num_classes)))
    RunDir(run).write_synthetic(set_, classes, scale, sources)
    return run, len(ledger.load(sources[0].sha256)), len(set_)


def test_a_row_is_traced_to_who_sent_it(merged, fdd):
    run, first, total = merged
    for row, client in ((0, "ward-a"), (first - 1, "ward-a"), (first, "ward-b"), (-1, "ward-b")):
        (found,) = json.loads(fdd("ledger", run, "--row", row % total, "--json").stdout)["entries"]
        assert found["client"] == client
    assert "ward-b" not in fdd("ledger", run, "--row", 0).stdout


def test_a_row_that_cannot_be_traced(merged, fdd):
    run, _, total = merged
    result = fdd("ledger", run, "--row", total)
    assert result.exit_code == 2
    assert f"expected 0 to {total - 1}; got {total}" in result.stderr
    assert fdd("ledger", run, "--row", -1).exit_code == 2
    Ledger(run / "ledger").forget("ward-a")
    assert "forgotten" in fdd("ledger", run, "--row", 0).stderr
    (run / "synthetic.safetensors").unlink()
    assert "synthetic.safetensors" in fdd("ledger", run, "--row", 0).stderr


def test_a_damaged_index_is_one_line(run, fdd):
    (run / "ledger" / "index.sqlite").write_bytes(b"nothing" * 200)
    result = fdd("ledger", run)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert "index.sqlite" in result.stderr
