"""Sets that look odd and change nothing: taken, and worth exactly what the plain one is."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from flwr.app import Array, RecordDict

from tests.attacks.malformed_sets import in_stream, with_array, with_metric, with_payload
from tests.attacks.scene import (
    HONEST,
    LIAR,
    Change,
    Outcome,
    Server,
    config,
    honest_set,
    message,
    meta,
    node_of,
    record,
)


def run(codec: str, change: Change | None = None) -> tuple[Outcome, Server]:
    """Run one round of honest clients and one whose reply is changed."""
    cfg = config(codec)
    content = honest_set(LIAR, cfg)
    changed = content if change is None else change(content)
    assert isinstance(changed, RecordDict)
    replies = [message(honest_set(key, cfg), node_of(key)) for key in HONEST]
    server = Server(cfg)
    return server.round([*replies, message(changed, node_of(LIAR))]), server


def later_minor(content: RecordDict) -> RecordDict:
    meta(content)["schema-minor"] = 7
    meta(content)["invented-later"] = "yes"
    return content


def extension(content: RecordDict) -> RecordDict:
    meta(content)["x-note"] = "from the lab on the second floor"
    return content


def reordered(content: RecordDict) -> RecordDict:
    arrays = record(content)
    arrays["inputs"] = arrays.pop("inputs")
    return content


def lying_flower_header(content: RecordDict) -> RecordDict:
    array = record(content)["inputs"]
    record(content)["inputs"] = Array(
        dtype="float64", shape=(10**9,), stype="torch.tensor", data=array.data
    )
    return content


@pytest.mark.parametrize("codec", ["float32", "float16", "uint8", "webp", "avif"])
def test_what_the_attacks_change_is_taken_unchanged(codec: str) -> None:
    assert not run(codec)[0].refused


@pytest.mark.parametrize(
    "change",
    [
        later_minor,
        extension,
        reordered,
        lying_flower_header,
        with_metric("num-examples", 10**9),
        with_metric("seconds", 3),
        with_metric("seconds", 1e6),
    ],
)
def test_it_counts_as_the_plain_one_does(change: Change) -> None:
    plain, _ = run("float32")
    found, _ = run("float32", change)
    assert not found.refused
    assert found.hash == plain.hash


def test_bytes_after_a_webp_frame_are_never_read() -> None:
    # The last part of a VP8 frame has no length of its own: a second frame is only noise in it.
    plain, _ = run("webp")
    found, _ = run("webp", with_payload(in_stream(lambda s: s + s)))
    assert not found.refused
    assert found.hash == plain.hash


def test_a_flood_of_denormals_is_zeros() -> None:
    found, server = run("float32", with_array("inputs", lambda x: np.full_like(x, 1e-42)))
    assert not found.refused
    merged = server.side.merged
    assert merged is not None
    tiny = torch.finfo(torch.float32).tiny
    assert not bool(((merged.inputs != 0) & (merged.inputs.abs() < tiny)).any())


def test_a_heavy_claim_weighs_ten_ordinary_rows() -> None:
    change = with_array("weights", lambda x: np.full_like(x, 1e9))
    found, server = run("float32", change)
    assert not found.refused
    merged = server.side.merged
    assert merged is not None
    mine = merged.weights.view(4, -1)[1]  # parts are in the order of keys
    assert float(mine.max() / merged.weights.median()) < 11


def test_no_warning_is_raised_by_any_of_this() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run("avif")
