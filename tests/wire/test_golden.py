"""Files and messages of older versions open, and those of later ones are refused by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, RecordDict
from flwr.common.serde import recorddict_from_proto
from flwr.proto.recorddict_pb2 import RecordDict as Proto

from fdd_flower.config import CodecConfig
from fdd_flower.errors import DataError
from fdd_flower.ledger import Ledger
from fdd_flower.run_folder.rows import RoundRow
from fdd_flower.run_folder.saved_set import load_set
from fdd_flower.run_folder.tensor_file import pack
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.records import (
    ARRAYS,
    METRICS,
    PEERS,
    read_envelope,
    read_plan,
    read_set,
    to_numpy,
)
from fdd_flower.wire.refusals import RefusedError
from tests.wire import golden_samples as sample

GOLDEN = Path(__file__).parent / "golden"


def message(name: str) -> RecordDict:
    return recorddict_from_proto(Proto.FromString((GOLDEN / f"{name}.bin").read_bytes()))


def arrays(content: RecordDict, name: str = ARRAYS) -> ArrayRecord:
    record = content[name]
    assert isinstance(record, ArrayRecord)
    return record


def read(record: ArrayRecord, codec: str, shape: tuple[int, ...]) -> SyntheticSet:
    reader = CODECS.get(codec)(CodecConfig(name=codec))
    plan = replace(sample.PLAN, feature_shape=shape)
    return read_set(record, reader, plan, max_bytes=10_000)


@pytest.mark.parametrize("name", ["plan", "plan-with-peers"])
def test_a_plan_opens(name: str) -> None:
    assert read_plan(message(name)) == sample.PLAN


def test_the_peers_in_a_plan_open() -> None:
    found = read(arrays(message("plan-with-peers"), PEERS), "uint8", sample.IMAGE)
    assert torch.equal(found.labels, sample.part(sample.IMAGE).labels)


# Half a step of uint8 over the range of the sample is 0.006; avif and webp lose more.
WITHIN = {"float32": 0.0, "float16": 1e-3, "uint8": 0.006, "webp": 0.5, "avif": 0.5}


@pytest.mark.parametrize("kind", ["", "-table"])
@pytest.mark.parametrize("codec", sample.CODECS_THEN)
def test_a_reply_of_each_codec_opens(codec: str, kind: str) -> None:
    content = message(f"reply-{codec}{kind}")
    assert read_envelope(content) == sample.ENVELOPE
    shape = sample.TABLE if kind else sample.IMAGE
    found, sent = read(arrays(content), codec, shape), sample.part(shape)
    bound = WITHIN["uint8"] if kind and codec in ("webp", "avif") else WITHIN[codec]
    torch.testing.assert_close(found.inputs, sent.inputs, rtol=0, atol=bound)
    torch.testing.assert_close(found.targets, sent.targets, rtol=0, atol=1 / 255)
    assert torch.equal(found.weights, sent.weights)


@pytest.mark.parametrize("codec", ["avif", "webp"])
def test_a_reply_of_half_the_resolution_opens(codec: str) -> None:
    content = message(f"reply-{codec}-half")
    found, sent = read(arrays(content), codec, sample.IMAGE), sample.part(sample.IMAGE)
    torch.testing.assert_close(found.inputs, sent.inputs, rtol=0, atol=0.7)
    assert torch.equal(found.labels, sent.labels)


def test_a_reply_with_parameters_opens() -> None:
    content = message("reply-parameters")
    assert read_envelope(content) == sample.ENVELOPE
    assert content[METRICS]["num-examples"] == 40
    found = to_numpy(arrays(content), max_bytes=10_000)
    assert set(found) == set(sample.WEIGHTS)
    for name, values in sample.WEIGHTS.items():
        np.testing.assert_array_equal(found[name], values)


def test_a_refusal_opens() -> None:
    with pytest.raises(RefusedError, match=r"a refusal \(DistillError\)"):
        read_envelope(message("refusal"))


def test_a_saved_set_without_a_version_opens() -> None:
    saved = load_set(GOLDEN / "synthetic.safetensors")
    assert torch.equal(saved.set.inputs, sample.part(sample.IMAGE).inputs)
    assert (saved.classes, saved.normalisation) == (sample.CLASSES, sample.NORMALISATION)
    assert dict(saved.set.meta) == {"distiller": "dm"}


def test_a_saved_set_of_1_1_knows_where_its_rows_are_from() -> None:
    saved, then = load_set(GOLDEN / "synthetic-1.1.safetensors"), sample.merged()
    assert torch.equal(saved.set.inputs, then.set.inputs)
    assert [saved.source_of(row) for row in range(8)] == [
        then.sources[row // 4] for row in range(8)
    ]
    assert load_set(GOLDEN / "synthetic.safetensors").source_of(0) is None


def test_a_ledger_opens_and_its_set_is_the_one_that_was_sent() -> None:
    ledger = Ledger(GOLDEN / "ledger")
    (entry,) = ledger.entries()
    assert (entry.client, entry.round, entry.verdict, entry.bytes) == ("site 3", 2, "accepted", 321)
    assert torch.equal(ledger.load(entry.sha256).inputs, sample.part(sample.IMAGE).inputs)


def test_a_round_without_codes_opens() -> None:
    row = RoundRow.from_json((GOLDEN / "rounds.jsonl").read_text(), where="golden")
    assert row == sample.ROW
    assert row.rejected_codes == {}


def saved_as(path: Path, *, more: Mapping[str, object], tensor: str = "") -> Path:
    """Write the golden set with other facts, and one tensor more."""
    from fdd_flower.run_folder.tensor_file import unpack

    tensors, facts = unpack(GOLDEN / "synthetic.safetensors")
    path.write_bytes(
        pack(tensors | ({tensor: torch.zeros(1)} if tensor else {}), facts | dict(more))
    )
    return path


@pytest.mark.parametrize("version", ["1.0", "1.7"])
def test_every_minor_version_opens(tmp_path: Path, version: str) -> None:
    path = saved_as(tmp_path / "set", more={"version": version})
    assert torch.equal(load_set(path).set.inputs, sample.part(sample.IMAGE).inputs)


@pytest.mark.parametrize("version", ["2.0", "0.9", "1", "", "1.x", 1, None, [1, 0]])
def test_another_major_version_is_refused_by_name(tmp_path: Path, version: object) -> None:
    path = saved_as(tmp_path / "set", more={"version": version})
    with pytest.raises(DataError, match=r"expected a synthetic set of version 1\.x; got version"):
        load_set(path)


@pytest.mark.parametrize(("fact", "tensor"), [("licence", ""), ("", "images")])
def test_what_this_version_does_not_define_is_named(tmp_path: Path, fact: str, tensor: str) -> None:
    path = saved_as(tmp_path / "set", more={fact: 1} if fact else {}, tensor=tensor)
    with pytest.raises(DataError, match=rf"got '{fact or tensor}'"):
        load_set(path)
    later = saved_as(
        tmp_path / "later", more={"version": "1.2"} | ({fact: 1} if fact else {}), tensor=tensor
    )
    load_set(later)


def test_a_set_is_saved_with_its_version(tmp_path: Path) -> None:
    from fdd_flower.run_folder.tensor_file import unpack

    (tmp_path / "set").write_bytes(load_set(GOLDEN / "synthetic.safetensors").to_bytes())
    assert unpack(tmp_path / "set")[1]["version"] == "1.1"


def test_rows_of_later_versions_are_passed_over_by_key() -> None:
    row = json.loads(sample.ROW.to_json()) | {"invented_later": 1}
    assert RoundRow.from_json(json.dumps(row), where="later") == sample.ROW
