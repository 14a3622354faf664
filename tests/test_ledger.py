"""The ledger: hashes made by hand, damage found, every verdict kept in order."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fdd_flower.errors import DataError
from fdd_flower.ledger import Ledger
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


def test_the_index_has_a_line_a_reply(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    assert not (tmp_path / "ledger").exists()
    sha = record(ledger, make_set())
    ledger.reject(client="8", round=1, plan="plan-1", reason="inputs: a\nb \ud800", num_bytes=9)
    lines = (tmp_path / "ledger" / "index.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"round": 1, "client": "7", "plan": "plan-1", "verdict": "accepted", "reason": "",
         "sha256": sha, "bytes": 321},
        {"round": 1, "client": "8", "plan": "plan-1", "verdict": "rejected",
         "reason": "inputs: a\nb \ud800", "sha256": "", "bytes": 9},
    ]  # fmt: skip
    assert [(e.client, e.verdict) for e in ledger.entries()] == [
        ("7", "accepted"), ("8", "rejected"),
    ]  # fmt: skip


def test_a_set_comes_back_without_the_clients_free_text(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    set_ = make_set(note="from the client")
    found = ledger.load(record(ledger, set_))
    for name in ("inputs", "targets", "weights"):
        assert torch.equal(getattr(found, name), getattr(set_, name))
    assert dict(found.meta) == {}


def test_the_same_content_is_one_file_and_two_lines(tmp_path: Path) -> None:
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
        blob.write_bytes({
            # the last byte belongs to a float's exponent, so the value stays a valid one
            "flip": content[:-2] + bytes([content[-2] ^ 1]) + content[-1:],
            "cut": content[:-5],
            "empty": b"",
            "other": (tmp_path / f"{other}.safetensors").read_bytes(),
        }[damage])  # fmt: skip
    with pytest.raises(DataError, match=sha):
        ledger.load(sha)
    ledger.load(other)
    record(ledger, make_set())
    ledger.load(sha)


@pytest.mark.parametrize("name", ["", "../" * 21 + "x", "F" * 64, "0" * 63])
def test_only_a_hash_is_looked_up(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="64 hexadecimal"):
        Ledger(tmp_path).load(name)


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"round": "1"}', "7"])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    ledger = Ledger(tmp_path)
    record(ledger, make_set())
    with (tmp_path / "index.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match="line 2"):
        ledger.entries()


def test_a_line_with_a_wrong_type_is_named(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    record(ledger, make_set())
    entry = json.loads((tmp_path / "index.jsonl").read_text())
    (tmp_path / "index.jsonl").write_text(json.dumps({**entry, "bytes": "many"}) + "\n")
    with pytest.raises(DataError, match=r"line 1, key 'bytes'"):
        ledger.entries()


def test_no_ledger_has_no_entries(tmp_path: Path) -> None:
    assert Ledger(tmp_path / "none").entries() == []
