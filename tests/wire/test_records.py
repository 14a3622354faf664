"""Messages: there and back through Flower's own serialisation, and hostile ones refused."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto

from fdd_flower.config import CodecConfig
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import WireError
from fdd_flower.schema import Column, Schema
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.records import (
    ARRAYS,
    CONFIG,
    META,
    METRICS,
    Envelope,
    message_bytes,
    plan_record,
    read_envelope,
    read_plan,
    read_set,
    refusal,
    reply,
    set_record,
    to_numpy,
)
from fdd_flower.wire.refusals import Code, RefusedError
from tests.conftest import blobs, plan_for

ENVELOPE = Envelope(client="3", nonce="0123456789abcdef", round=2, seconds=1.5)


def _travel(content: RecordDict) -> RecordDict:
    return recorddict_from_proto(recorddict_to_proto(content))


def _part(rows: int = 6) -> SyntheticSet:
    data = blobs(counts=(rows, rows))
    return SyntheticSet(
        inputs=data.inputs,
        targets=torch.nn.functional.one_hot(data.labels, 2).float(),
        weights=torch.full((2 * rows,), 5.0),
    )


def test_plan_survives_the_wire():
    plan = plan_for(blobs(), round_=4)
    assert read_plan(_travel(RecordDict({CONFIG: plan_record(plan)}))) == plan


def test_the_schema_of_a_table_travels_with_the_plan():
    columns = (
        Column(name="age", kind="integer", low=0, high=1e2, centre=1 / 3, scale=0.1),
        Column(name="pain", kind="category", levels=("none", 'a "b"\n'), gaps=True),
    )
    schema = Schema.of_table(columns, classes=("0", "1"), label="y", prior=(0.9, 0.1))
    plan = Plan.of(schema, seed=1, run="r")
    assert plan.prior == (0.9, 0.1)
    record = plan_record(plan)
    assert read_plan(_travel(RecordDict({CONFIG: record}))) == plan
    record["table"] = str(record["table"]).replace("category", "text")
    with pytest.raises(WireError, match="kind"):
        read_plan(RecordDict({CONFIG: record}))


def test_what_a_series_is_travels_with_the_plan():
    plan = replace(plan_for(blobs()), channels=("x [g]", "y"), rate=50.0)
    record = plan_record(plan)
    assert read_plan(_travel(RecordDict({CONFIG: record}))) == plan
    record["rate"] = "often"
    with pytest.raises(WireError, match="often"):
        read_plan(RecordDict({CONFIG: record}))


@pytest.mark.parametrize("missing", ["server-round", "seed", "nonce", "classes", "mean"])
def test_a_plan_without_a_field_is_refused(missing):
    record = plan_record(plan_for(blobs()))
    del record[missing]
    with pytest.raises(WireError, match=missing):
        read_plan(RecordDict({CONFIG: record}))


def test_a_plan_of_another_schema_is_refused_by_name():
    record = plan_record(plan_for(blobs()))
    record["schema"] = 99
    with pytest.raises(WireError, match=r"plan\.schema: expected 1; got 99"):
        read_plan(RecordDict({CONFIG: record}))


@pytest.mark.parametrize("name", CODECS.built_in())
def test_a_set_survives_the_wire_with_every_codec(name):
    codec, part = CODECS.get(name)(CodecConfig(name=name)), _part()
    content = _travel(reply(set_record(part, codec), ENVELOPE, {}))
    assert read_envelope(content) == ENVELOPE
    record = content[ARRAYS]
    assert isinstance(record, ArrayRecord)
    back = read_set(record, codec, plan_for(blobs(counts=(6, 6))), max_bytes=10**6)
    span = float(part.inputs.max() - part.inputs.min())
    lossy = hasattr(codec, "at_quality")  # and noise is what it keeps least of
    torch.testing.assert_close(back.inputs, part.inputs, atol=span if lossy else span / 255, rtol=0)
    assert torch.equal(back.labels, part.labels)


def test_bytes_are_those_of_the_serialised_message():
    content = reply(set_record(_part(), CODECS.get("uint8")(CodecConfig())), ENVELOPE, {})
    assert message_bytes(content) == len(recorddict_to_proto(content).SerializeToString())


def test_a_refusal_tells_its_kind_and_nothing_of_the_data():
    content = _travel(refusal("DistillError", ENVELOPE))
    with pytest.raises(
        WireError, match="client 3: expected a set; got a refusal \\(DistillError\\)"
    ):
        read_envelope(content)
    assert set(content[META]) == {"schema", "client", "nonce", "round", "refused"}


def test_a_reply_carries_the_allowed_fields_only():
    content = reply(ArrayRecord(), ENVELOPE, {})
    assert set(content[META]) == {"schema", "client", "nonce", "round"}
    assert set(content[METRICS]) == {"seconds"}


def _with(record: str, key: str, value: object) -> RecordDict:
    content = reply(ArrayRecord(), ENVELOPE, {})
    content[record][key] = value  # type: ignore[index]
    return content


BAD_ENVELOPES = [
    (RecordDict(), "reply", Code.ENVELOPE),
    (RecordDict({ARRAYS: ArrayRecord(), META: ConfigRecord()}), "reply", Code.ENVELOPE),
    (
        RecordDict({ARRAYS: MetricRecord(), META: ConfigRecord(), METRICS: MetricRecord()}),
        "reply.arrays",
        Code.ENVELOPE,
    ),
    (
        RecordDict({ARRAYS: ArrayRecord(), META: MetricRecord(), METRICS: MetricRecord()}),
        "reply",
        Code.ENVELOPE,
    ),
    (_with(META, "schema", 2), "reply.meta.schema", Code.SCHEMA),
    (_with(META, "schema", "1"), "reply.meta.schema", Code.SCHEMA),
    (_with(META, "schema", True), "reply.meta.schema", Code.SCHEMA),
    (_with(META, "schema-minor", -1), "reply.meta.schema-minor", Code.SCHEMA),
    (_with(META, "schema-minor", 0.5), "reply.meta.schema-minor", Code.SCHEMA),
    (_with(META, "round", True), "reply.meta.round", Code.ENVELOPE),
    (_with(META, "extra", 1), "reply.meta", Code.ENVELOPE),
    (_with(METRICS, "extra", 1), "reply.metrics", Code.ENVELOPE),
    (_with(META, "client", ""), "reply.meta.client", Code.CLIENT_KEY),
    (_with(META, "client", "x" * 129), "reply.meta.client", Code.CLIENT_KEY),
    (_with(META, "client", "a\nb"), "reply.meta.client", Code.CLIENT_KEY),
    (_with(META, "client", "3 "), "reply.meta.client", Code.CLIENT_KEY),
    (_with(META, "client", "\N{FULLWIDTH DIGIT THREE}"), "reply.meta.client", Code.CLIENT_KEY),
    (_with(METRICS, "seconds", -1.0), "reply.metrics.seconds", Code.ENVELOPE),
    (_with(METRICS, "seconds", float("nan")), "reply.metrics.seconds", Code.ENVELOPE),
    (_with(METRICS, "seconds", [1.0]), "reply.metrics.seconds", Code.ENVELOPE),
    (_with(META, "refused", "DataError"), "client 3", Code.REFUSED),
]


@pytest.mark.parametrize(("content", "field", "code"), BAD_ENVELOPES)
def test_bad_envelopes_are_refused_by_field_and_code(content, field, code):
    with pytest.raises(RefusedError, match=f"^{re.escape(field)}: expected") as caught:
        read_envelope(content)
    assert caught.value.code == code
    assert len(str(caught.value)) < 500


def test_an_unknown_key_is_refused_by_its_name():
    with pytest.raises(RefusedError, match=r"only the keys .*schema.*; got 'extra'"):
        read_envelope(_with(META, "extra", 1))


@pytest.mark.parametrize("record", [META, METRICS])
def test_extension_keys_and_those_of_a_later_minor_version_are_passed_over(record):
    assert read_envelope(_with(record, "x-note", 1)) == ENVELOPE
    later = _with(record, "invented-later", 1)
    later[META]["schema-minor"] = 1  # type: ignore[index]
    assert read_envelope(later) == ENVELOPE


def test_a_plan_of_a_later_minor_version_opens_and_an_unknown_key_of_this_one_is_named():
    plan = plan_for(blobs())
    record = plan_record(plan)
    record["invented-later"] = 1
    with pytest.raises(WireError, match=r"plan: expected only the keys .* got 'invented-later'"):
        read_plan(RecordDict({CONFIG: record}))
    record["schema-minor"] = 1
    assert read_plan(RecordDict({CONFIG: record})) == plan
    with pytest.raises(WireError, match=r"plan message: .* got 'extra'"):
        read_plan(RecordDict({CONFIG: plan_record(plan), "extra": ConfigRecord()}))


def test_a_refused_reply_keeps_its_code_between_processes():
    error = RefusedError("a", expected="b", got=3, remedy="c", code=Code.DTYPE)
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), back.code) == (RefusedError, str(error), Code.DTYPE)


def _npy(array: np.ndarray) -> bytes:
    stream = BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def _forged() -> bytes:
    return _npy(np.zeros(3, np.float32)).replace(b"(3,)", b"(9,)")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not npy at all",
        _npy(np.zeros(3))[:-4],
        _npy(np.zeros(3)) + b"tail",
        _forged(),
        _npy(np.array([{"a": 1}], dtype=object)),
        _npy(np.zeros(3)).replace(b"\x93NUMPY\x01", b"\x93NUMPY\x09"),
        _npy(np.zeros(3)).replace(b"(3,)", b"(-1,"),
    ],
    ids=["empty", "text", "short", "long", "forged", "pickle", "version", "negative"],
)
def test_bytes_that_are_not_plain_npy_are_refused(data):
    array = Array(dtype="float32", shape=(3,), stype="numpy.ndarray", data=data)
    with pytest.raises(WireError, match=r"reply\.arrays\.inputs: expected plain NPY"):
        to_numpy(ArrayRecord({"inputs": array}), max_bytes=10**6)


def test_too_many_bytes_are_refused_before_decoding():
    array = Array(dtype="float32", shape=(3,), stype="numpy.ndarray", data=b"x" * 1001)
    with pytest.raises(WireError, match="at most 1000 bytes; got 1001"):
        to_numpy(ArrayRecord({"inputs": array}), max_bytes=1000)


def test_what_the_header_of_an_array_claims_is_not_believed():
    array = Array(np.zeros((2, 2), np.float64))
    lying = Array(dtype="float32", shape=(1,), stype="numpy.ndarray", data=array.data)
    assert to_numpy(ArrayRecord({"x": lying}), max_bytes=10**6)["x"].shape == (2, 2)
