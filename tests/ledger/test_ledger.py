"""The ledger: hashes made by hand, damage found, every verdict kept in order."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import torch

from fdd_flower.errors import DataError
from fdd_flower.ledger import Ledger
from fdd_flower.ledger.verify import verify
from fdd_flower.synthetic_set import SyntheticSet


def make_set(shift: float = 0.0, **meta: str) -> SyntheticSet:
    return SyntheticSet(
        inputs=torch.arange(12.0).view(2, 2, 3) + shift,
        targets=torch.eye(2),
        weights=torch.tensor([3.0, 4.5]),
        meta=meta,
    )


def record(ledger: Ledger, set_: SyntheticSet, client: str = "7") -> str:
    return ledger.record(set_, client=client, round=1, plan="plan-1", num_bytes=321)


def test_the_hash_is_over_names_shapes_and_little_endian_values(tmp_path: Path) -> None:
    digest = hashlib.sha256()
    digest.update(b"inputs float32 2x2x3\n" + np.arange(12, dtype="<f4").tobytes())
    digest.update(b"targets float32 2x2\n" + np.eye(2, dtype="<f4").tobytes())
    digest.update(b"weights float32 2\n" + np.array([3.0, 4.5], "<f4").tobytes())
    sha = record(Ledger(tmp_path), make_set())
    assert sha == digest.hexdigest()
    assert (tmp_path / f"{sha}.safetensors").exists()


def test_a_view_hashes_as_its_copy_does(tmp_path: Path) -> None:
    wide = torch.arange(24.0).view(2, 2, 6)
    view = SyntheticSet(
        inputs=wide[:, :, ::2], targets=torch.eye(2).T, weights=torch.ones(1).expand(2)
    )
    copy = SyntheticSet(inputs=wide[:, :, ::2].clone(), targets=torch.eye(2), weights=torch.ones(2))
    ledger = Ledger(tmp_path)
    assert record(ledger, view) == record(ledger, copy)


def test_the_shape_is_part_of_the_content(tmp_path: Path) -> None:
    flat = SyntheticSet(
        inputs=torch.arange(12.0).view(2, 6), targets=torch.eye(2), weights=make_set().weights
    )
    ledger = Ledger(tmp_path)
    assert record(ledger, flat) != record(ledger, make_set())


def test_the_index_has_a_row_a_reply(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    assert not (tmp_path / "ledger").exists()
    sha = record(ledger, make_set())
    ledger.reject(
        client="8",
        round=1,
        plan="plan-1",
        code="bad-inputs",
        reason="inputs: a\nb \ud800",
        num_bytes=9,
    )
    # read with nothing of this package
    with sqlite3.connect(tmp_path / "ledger" / "index.sqlite") as index:
        assert index.execute("PRAGMA user_version").fetchone() == (2,)
        assert index.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = index.execute("SELECT * FROM replies ORDER BY id").fetchall()
    assert found == [
        (1, 1, "7", "plan-1", "accepted", "", "", sha, 321, *[None] * 4),
        (2, 1, "8", "plan-1", "rejected", "bad-inputs", "inputs: a\nb \\ud800", "", 9, *[None] * 4),
    ]
    assert [(e.client, e.verdict) for e in ledger.entries()] == [
        ("7", "accepted"),
        ("8", "rejected"),
    ]
    assert {p.name for p in (tmp_path / "ledger").iterdir()} == {
        "index.sqlite",
        f"{sha}.safetensors",
    }


def test_a_refused_payload_is_kept_apart_under_its_hash(tmp_path: Path) -> None:
    ledger, content = Ledger(tmp_path), b"\x00\xffnot a set"
    ledger.reject(
        client="8", round=1, plan="p", code="c", reason="r", num_bytes=12, content=content
    )
    sha = hashlib.sha256(content).hexdigest()
    assert (tmp_path / "rejected" / f"{sha}.bin").read_bytes() == content
    assert ledger.entries()[0].sha256 == sha


def test_a_score_is_filled_in_later(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    record(ledger, make_set(), client="a")
    record(ledger, make_set(1.0), client="b")
    assert [entry.score for entry in ledger.entries()] == [None, None]
    ledger.score(client="b", round=1, value=-0.25)
    assert [entry.score for entry in ledger.entries()] == [None, -0.25]
    with pytest.raises(DataError, match="score of client c in round 1"):
        ledger.score(client="c", round=1, value=1.0)


def test_what_is_asked_again_stays_and_no_longer_counts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.supersede(after_round=0) == 0
    for number in (1, 2):
        ledger.record(make_set(float(number)), client="a", round=number, plan="p", num_bytes=1)
        ledger.reject(client="b", round=number, plan="p", reason="late", num_bytes=1)
    assert ledger.supersede(after_round=1) == 2
    verdicts = [entry.verdict for entry in ledger.entries()]
    assert verdicts == ["accepted", "rejected", "superseded", "superseded"]
    assert list(ledger.accepted(1)) == ["a"]
    assert ledger.accepted(2) == {}
    assert list(verify(ledger, ledger.entries())) == []


def test_a_client_that_is_forgotten_leaves_its_rows_and_no_content(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    own = record(ledger, make_set(), client="k")
    shared = record(ledger, make_set(1.0), client="k")
    assert record(ledger, make_set(1.0), client="other") == shared
    ledger.reject(client="k", round=2, plan="p", reason="r", num_bytes=1, content=b"x")
    assert ledger.forget("k") == 3
    assert [e.verdict for e in ledger.entries()] == [
        "forgotten",
        "forgotten",
        "accepted",
        "forgotten",
    ]
    assert [p.name for p in tmp_path.rglob("*") if p.suffix in {".bin", ".safetensors"}] == [
        f"{shared}.safetensors"
    ]
    with pytest.raises(DataError, match=own):
        ledger.load(own)
    assert list(verify(ledger, ledger.entries())) == []


def test_a_set_comes_back_without_the_clients_free_text(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    set_ = make_set(note="from the client")
    found = ledger.load(record(ledger, set_))
    for name in ("inputs", "targets", "weights"):
        assert torch.equal(getattr(found, name), getattr(set_, name))
    assert dict(found.meta) == {}


def test_the_same_content_is_one_file_and_two_rows(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    first = record(ledger, make_set(note="a"), client="1")
    content = (tmp_path / f"{first}.safetensors").read_bytes()
    assert record(ledger, make_set(note="b"), client="2") == first
    assert (tmp_path / f"{first}.safetensors").read_bytes() == content
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
    assert [entry.client for entry in ledger.entries()] == ["1", "2"]


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "gone", "other"])
def test_a_damaged_set_is_named(tmp_path: Path, damage: str) -> None:
    ledger = Ledger(tmp_path)
    sha, other = record(ledger, make_set()), record(ledger, make_set(1.0))
    blob = tmp_path / f"{sha}.safetensors"
    content = blob.read_bytes()
    if damage == "gone":
        blob.unlink()
    else:
        blob.write_bytes(
            {
                # the last byte belongs to a float's exponent, so the value stays a valid one
                "flip": content[:-2] + bytes([content[-2] ^ 1]) + content[-1:],
                "cut": content[:-5],
                "empty": b"",
                "other": (tmp_path / f"{other}.safetensors").read_bytes(),
            }[damage]
        )
    with pytest.raises(DataError, match=sha):
        ledger.load(sha)
    ledger.load(other)
    record(ledger, make_set())
    ledger.load(sha)


@pytest.mark.parametrize("name", ["", "../" * 21 + "x", "F" * 64, "0" * 63])
def test_only_a_hash_is_looked_up(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="64 hexadecimal"):
        Ledger(tmp_path).load(name)


@pytest.mark.parametrize(
    ("column", "value"), [("bytes", "many"), ("client", b"7"), ("score", "high")]
)
def test_a_row_with_a_wrong_type_is_named(tmp_path: Path, column: str, value: object) -> None:
    ledger = Ledger(tmp_path)
    record(ledger, make_set())
    record(ledger, make_set())
    with sqlite3.connect(tmp_path / "index.sqlite") as index:
        index.execute(f"UPDATE replies SET {column} = ? WHERE id = 2", (value,))
    with pytest.raises(DataError, match=rf"index\.sqlite, row 2, {column}"):
        ledger.entries()


@pytest.mark.parametrize("content", [b"{not sqlite}" * 99, b"SQLite format 3\0" + b"x" * 999])
def test_an_index_that_is_no_index_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index.sqlite").write_bytes(content)
    with pytest.raises(DataError, match=r"index\.sqlite"):
        Ledger(tmp_path).entries()


def test_a_ledger_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    record(ledger, make_set())
    with sqlite3.connect(tmp_path / "index.sqlite") as index:
        index.execute("PRAGMA user_version = 3")
    for use in (ledger.entries, lambda: record(ledger, make_set())):
        with pytest.raises(DataError, match="user_version: expected at most 2; got 3"):
            use()


def test_a_disk_that_is_full_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="got No space left on device"):
        record(Ledger(tmp_path), make_set())


def test_no_ledger_has_no_entries(tmp_path: Path) -> None:
    assert Ledger(tmp_path / "none").entries() == []
