"""Malformed models to the strategies that average: refused, and as if they had not come."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from flwr.app import Array, Message, RecordDict

from fdd_flower.wire.refusals import Code
from tests.attacks.malformed_sets import npy, with_array, with_bytes, with_meta, with_metric
from tests.attacks.scene import (
    HONEST,
    LIAR,
    POSITIONS,
    Change,
    Server,
    config,
    honest_parameters,
    message,
    metrics,
    node_of,
    record,
)

CFG = config(strategy="fedavg")


def with_last(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    def changed(content: RecordDict) -> RecordDict:
        found = with_array(max(record(content)), change)(content)
        assert isinstance(found, RecordDict)
        return found

    return changed


def with_one(value: float) -> Change:
    def change(values: np.ndarray) -> np.ndarray:
        values.reshape(-1)[3] = value
        return values

    return with_last(change)


def without_one(content: RecordDict) -> RecordDict:
    del record(content)[max(record(content))]
    return content


def with_one_more(content: RecordDict) -> RecordDict:
    record(content)["backdoor.weight"] = Array(np.zeros(3, np.float32))
    return content


def with_one_renamed(content: RecordDict) -> RecordDict:
    arrays = record(content)
    arrays["\x1b[2J\n"] = arrays.pop(max(arrays))
    return content


def without(metric: str) -> Change:
    def change(content: RecordDict) -> RecordDict:
        del metrics(content)[metric]
        return content

    return change


def lying_header(content: RecordDict) -> RecordDict:
    last = max(record(content))
    lie = npy(np.zeros(1))
    found = with_bytes(last, lambda data: lie)(content)
    assert isinstance(found, RecordDict)
    return found


ATTACKS: dict[str, tuple[Change, Code]] = {
    "parameter-missing": (without_one, Code.ARRAYS),
    "parameter-more": (with_one_more, Code.ARRAYS),
    "parameter-renamed": (with_one_renamed, Code.ARRAYS),
    "parameter-flat": (with_last(lambda x: x.reshape(-1)), Code.SHAPE),
    "parameter-of-one-value": (with_last(lambda x: x.reshape(-1)[:1]), Code.SHAPE),
    "parameter-float64": (with_last(lambda x: x.astype(np.float64)), Code.DTYPE),
    "parameter-float16": (with_last(lambda x: x.astype(np.float16)), Code.DTYPE),
    "parameter-big-endian": (with_last(lambda x: x.astype(">f4")), Code.DTYPE),
    "parameter-nan": (with_one(np.nan), Code.NOT_FINITE),
    "parameter-infinite": (with_one(-np.inf), Code.NOT_FINITE),
    "parameter-huge": (with_one(3e38), Code.RANGE),
    "parameter-too-many-bytes": (with_last(lambda x: np.zeros(10**6, "f4")), Code.TOO_LARGE),
    "header-lies": (lying_header, Code.DTYPE),
    "count-missing": (without("num-examples"), Code.WEIGHTS),
    "count-zero": (with_metric("num-examples", 0), Code.WEIGHTS),
    "count-negative": (with_metric("num-examples", -9), Code.WEIGHTS),
    "count-huge": (with_metric("num-examples", 10**18), Code.WEIGHTS),
    "count-a-float": (with_metric("num-examples", 30.0), Code.WEIGHTS),
    "count-nan": (with_metric("num-examples", float("nan")), Code.WEIGHTS),
    "count-a-list": (with_metric("num-examples", [30]), Code.WEIGHTS),
    "nonce-of-another-run": (with_meta("nonce", "f" * 16), Code.WRONG_RUN),
    "round-zero": (with_meta("round", 0), Code.STALE_ROUND),
    "schema-newer": (with_meta("schema", 2), Code.SCHEMA),
    "client-empty": (with_meta("client", ""), Code.CLIENT_KEY),
}


def honest(server: Server) -> list[Message]:
    return [message(honest_parameters(key, server.side), node_of(key)) for key in HONEST]


@cache
def hash_without(strategy: str) -> str:
    server = Server(config(strategy=strategy))
    return server.round(honest(server)).hash


CASES = [(name, "middle") for name in ATTACKS]
CASES += [("parameter-nan", "first"), ("parameter-nan", "last"), ("header-lies", "last")]


@pytest.mark.parametrize(("name", "position"), CASES)
def test_it_is_refused_and_the_model_is_as_without_it(name: str, position: str) -> None:
    change, code = ATTACKS[name]
    server = Server(CFG)
    changed = change(honest_parameters(LIAR, server.side))
    assert changed is not None
    replies = honest(server)
    replies.insert(POSITIONS[position], message(changed, node_of(LIAR)))
    found = server.round(replies)
    (refused,) = found.refused
    assert refused.code == code
    assert "expected" in refused.reason
    assert refused.reason.isprintable()
    assert found.hash == hash_without("fedavg")
    assert [entry.code for entry in server.entries()] == [code]


# `max` of the names of scaffold's arrays is one of its variates
OF_A_STRATEGY: dict[str, tuple[str, Change, Code]] = {
    "variate-missing": ("scaffold", without_one, Code.ARRAYS),
    "variate-flat": ("scaffold", with_last(lambda x: x.reshape(-1)), Code.SHAPE),
    "variate-of-one-value": ("scaffold", with_last(lambda x: x.reshape(-1)[:1]), Code.SHAPE),
    "variate-float64": ("scaffold", with_last(lambda x: x.astype(np.float64)), Code.DTYPE),
    "variate-nan": ("scaffold", with_one(np.nan), Code.NOT_FINITE),
    "variate-infinite": ("scaffold", with_one(np.inf), Code.NOT_FINITE),
    "variate-huge": ("scaffold", with_one(3e38), Code.RANGE),
    "steps-missing": ("fednova", without("num-steps"), Code.WEIGHTS),
    "steps-zero": ("fednova", with_metric("num-steps", 0), Code.WEIGHTS),
    "steps-negative": ("fednova", with_metric("num-steps", -3), Code.WEIGHTS),
    "steps-huge": ("fednova", with_metric("num-steps", 10**18), Code.WEIGHTS),
    "steps-a-float": ("fednova", with_metric("num-steps", 0.5), Code.WEIGHTS),
    "steps-nan": ("fednova", with_metric("num-steps", float("nan")), Code.WEIGHTS),
    "steps-a-list": ("fednova", with_metric("num-steps", [3]), Code.WEIGHTS),
}


@pytest.mark.parametrize("name", OF_A_STRATEGY)
def test_what_a_strategy_adds_to_a_reply_is_judged_too(name: str) -> None:
    strategy, change, code = OF_A_STRATEGY[name]
    server = Server(config(strategy=strategy))
    changed = change(honest_parameters(LIAR, server.side))
    assert changed is not None
    found = server.round([message(changed, node_of(LIAR)), *honest(server)])
    assert [v.code for v in found.refused] == [code]
    assert found.hash == hash_without(strategy)


def test_a_claim_of_a_billion_steps_is_a_hundred_times_the_median() -> None:
    hashes = []
    for claim in (10**9, 100 * 6):  # 6 is the upper median of 3, 5, 6 and the claim
        server = Server(config(strategy="fednova"))
        found = honest_parameters(LIAR, server.side)
        metrics(found)["num-steps"] = claim
        hashes.append(server.round([*honest(server), message(found, node_of(LIAR))]).hash)
    assert hashes[0] == hashes[1]


def test_a_claim_of_a_billion_records_is_a_hundred_shares() -> None:
    server = Server(CFG)
    found = honest_parameters(LIAR, server.side)
    metrics(found)["num-examples"] = 10**9
    replies = [*honest(server), message(found, node_of(LIAR))]
    server.round(replies)
    arrays, _ = server.strategy.aggregate_train(1, replies)
    assert arrays is not None
    stacks = [record(reply.content) for reply in replies]
    shares = np.array([30.0, 32.0, 33.0, 100 * 33.0])  # 33 is the upper median
    for name in arrays:
        want = np.tensordot(shares / shares.sum(), [s[name].numpy() for s in stacks], axes=1)
        np.testing.assert_allclose(arrays[name].numpy(), want, rtol=1e-5)
