"""Runs in which the server learns the sum of sketches and none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message
from scipy.stats import chisquare

from fdd_flower.config import Config, to_run_config
from fdd_flower.errors import DataError
from fdd_flower.ledger import Ledger
from fdd_flower.methods.sketch import SketchSum
from fdd_flower.run_folder.load import load_run
from fdd_flower.secure_sum.server import SecureRound
from fdd_flower.server.forget import scope_of
from fdd_flower.wire.records import ARRAYS
from tests.methods.test_end_to_end import QUICK, rounds, run, summary
from tests.methods.test_sketch import (
    RIDGE,
    SETS,
    _nothing,
    model_of,
    names_sent,
)
from tests.server.test_resume import Killed, killing, result, resume, start

ONE_ROUND: dict[str, Any] = {"num_server_rounds": 1, "strategy__deadline": 600.0}
SECURE: dict[str, Any] = RIDGE | ONE_ROUND | {"sketch__secure_sum": True}
PLAIN: dict[str, Any] = RIDGE | ONE_ROUND


def name_of(message: Message) -> str:
    """Return the array that an answer holds, which says what step it is."""
    record = message.content.array_records.get(ARRAYS, ArrayRecord())
    return next(iter(record), "")


def gone_at(step: str) -> Callable[[Message], Message | None]:
    """Return the fault of a client that answers no more from `step` on."""
    steps = ["keys", "shares", "opened", "masked", "given"]

    def fault(message: Message) -> Message | None:
        found = name_of(message)
        return None if found in steps[steps.index(step) :] else message

    return fault


class Late:
    """Nodes 3 and 4 connect after the server has looked for them a while."""

    def __init__(self) -> None:
        self.looks = 0

    def __contains__(self, node: object) -> bool:
        self.looks += 1
        return node in (3, 4) and self.looks < 20


def test_it_waits_for_the_quorum(tmp_path):
    named = {key.replace("__", ".").replace("_", "-"): value for key, value in SECURE.items()}
    settings = to_run_config(Config()) | QUICK | {"output.dir": str(tmp_path / "run")} | named
    start(settings | {"strategy.quorum": 4}, clients=4, absent=Late())
    assert rounds(tmp_path / "run")[0]["replies"] == 4


@pytest.mark.parametrize(
    "settings",
    [RIDGE, SETS["means"], SETS["characteristic"]],
    ids=["gram", "means", "characteristic"],
)
def test_the_result_is_that_of_plain_sketches(tmp_path, settings):
    # under masks no mean image is sent, and rows start from noise
    alike = {"sketch__start": "noise"} | ONE_ROUND
    plain, _ = run(tmp_path, "plain", **(settings | alike))
    secure, done = run(tmp_path, "secure", **(settings | ONE_ROUND | {"sketch__secure_sum": True}))
    assert done
    # the set's file names the ledger's sketches: there one for each client, here their sum
    assert model_of(secure).keys() == model_of(plain).keys()
    for name, values in model_of(secure).items():
        np.testing.assert_array_equal(values, model_of(plain)[name])
    assert [row["replies"] for row in rounds(secure)] == [4]
    entries = Ledger(secure / "ledger").entries()
    assert [(e.client, e.verdict, bool(e.sha256)) for e in entries] == [
        ("secure sum", "accepted", True),
        *((str(n), "summed", False) for n in range(4)),
    ]
    assert names_sent(secure, "secure sum") == names_sent(plain) >= {"counts"}
    assert "inputs" not in names_sent(secure, "secure sum")


@pytest.mark.parametrize("step", ["keys", "shares", "opened", "masked"])
def test_without_a_client_that_went_the_sum_is_that_of_the_others(tmp_path, step):
    plain, _ = run(tmp_path, "plain", faults={3: _nothing}, **PLAIN)
    secure, done = run(tmp_path, "secure", faults={3: gone_at(step)}, **SECURE)
    assert done
    assert result(secure) == result(plain)


def test_a_client_that_goes_before_the_masks_are_off_is_in_the_sum(tmp_path):
    plain, _ = run(tmp_path, "plain", **PLAIN)
    secure, done = run(tmp_path, "secure", faults={3: gone_at("given")}, **SECURE)
    assert done
    assert result(secure) == result(plain)


def test_killed_and_resumed_it_asks_the_round_again_with_fresh_keys(tmp_path, monkeypatch):
    whole, _ = run(tmp_path, "whole", **SECURE)
    unmasked, asked = SecureRound.end, []

    def die(self: Any, masked: Any) -> Any:
        asked.append(self.group)
        if len(asked) == 1:
            raise Killed
        return unmasked(self, masked)

    monkeypatch.setattr(SecureRound, "end", die)
    with pytest.raises(Killed):
        run(tmp_path, "killed", **SECURE)
    (tmp_path / "killed" / "summary.json").unlink(missing_ok=True)
    resume(tmp_path / "killed", clients=4)
    assert result(tmp_path / "killed") == result(whole)
    assert not set(asked[0].publics) & set(asked[1].publics)


@pytest.mark.parametrize("settings", [RIDGE, SETS["means"]], ids=["ridge", "set"])
def test_killed_with_the_total_in_the_ledger_it_asks_nobody_again(tmp_path, monkeypatch, settings):
    """Beside a total without client 3 the first one would be its sketch, to the last bit."""
    secure: dict[str, Any] = settings | ONE_ROUND | {"sketch__secure_sum": True}
    folder = tmp_path / "killed"
    gone = {2: gone_at("masked")}
    whole, _ = run(tmp_path, "whole", faults=gone, **secure)
    with monkeypatch.context() as patch:
        killing(patch, SketchSum, "learn", 1, after=False)
        with pytest.raises(Killed):
            run(tmp_path, "killed", faults=gone, **secure)
    before = Ledger(folder / "ledger").entries()
    asked: list[Message] = []
    resume(folder, clients=4, absent={4}, faults=dict.fromkeys(range(1, 5), asked.append))
    assert not asked
    assert result(folder) == result(whole)
    assert Ledger(folder / "ledger").entries() == before
    assert [entry.client for entry in before if entry.sha256] == ["secure sum"]
    (row,), (wanted,) = rounds(folder), rounds(whole)
    for name in ("replies", "rejected", "rejected_codes", "accuracy"):
        assert row[name] == wanted[name]
    assert row["bytes_up"] == before[0].bytes > 0
    found = summary(folder)
    assert (found["status"], found["num_clients"]) == ("completed", 3)


def test_more_rounds_than_one_are_refused_before_there_is_a_folder(tmp_path, caplog):
    settings: dict[str, Any] = SECURE | {"num_server_rounds": 2}
    folder, done = run(tmp_path, **settings)
    assert not done
    assert not folder.exists()
    assert "num-server-rounds: expected 1 with sketch.secure-sum=true; got 2" in caplog.text


def test_with_too_few_left_the_run_ends_with_a_sentence(tmp_path):
    faults = {node: gone_at("given") for node in (2, 3, 4)}
    folder, done = run(tmp_path, faults=faults, **SECURE)
    assert not done
    status = load_run(folder).summary.status
    assert "in the secure sum, which needs" in status


def test_what_a_client_sends_is_uniform_and_another_each_time(tmp_path):
    seen: list[np.ndarray] = []

    def look(message: Message) -> Message:
        record = message.content.array_records.get(ARRAYS, ArrayRecord())
        if "masked" in record:
            seen.append(record["masked"].numpy().flatten())
        return message

    for name in ("one", "two"):
        run(tmp_path, name, faults={2: look}, **SECURE)
    for planes in seen:
        assert chisquare(np.bincount(planes, minlength=256)).pvalue > 1e-6
    first, second = (np.unpackbits(planes).astype(float) for planes in seen)
    assert abs((first == second).mean() - 0.5) < 0.01


def _spoiled(message: Message) -> Message:
    record = message.content.array_records.get(ARRAYS, ArrayRecord())
    if "masked" in record:
        record["masked"] = Array(record["masked"].numpy() ^ 85)
    return message


def test_one_spoiled_sketch_spoils_the_sum_and_the_server_says_so(tmp_path):
    folder, done = run(tmp_path, faults={2: _spoiled}, **SECURE)
    assert not done
    assert "masks hide which one" in load_run(folder).summary.status


def _short(message: Message) -> Message:
    record = message.content.array_records.get(ARRAYS, ArrayRecord())
    for name in list(record):
        record[name] = Array(record[name].numpy()[:-1])
    return message


def test_a_malformed_answer_is_dropped_at_any_step(tmp_path):
    plain, _ = run(tmp_path, "plain", faults={2: _nothing}, **PLAIN)
    secure, done = run(tmp_path, "secure", faults={2: _short}, **SECURE)
    assert done
    assert result(secure) == result(plain)


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Message], Message]:
    """Return the fault of a client whose array `name` is another one."""

    def fault(message: Message) -> Message:
        record = message.content.array_records.get(ARRAYS, ArrayRecord())
        if name in record:
            record[name] = Array(change(record[name].numpy().copy()))
        return message

    return fault


def noise(array: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, array.shape, dtype=np.uint8)


BAD = {
    "keys of a low order": ("keys", np.zeros_like, "range"),
    "one key of a low order": ("keys", lambda a: np.where(np.arange(64) < 32, a, 0), "range"),
    "shares that do not open": ("shares", noise, "undecodable"),
    "shares of another type": ("shares", lambda a: a.astype(np.int64), "dtype"),
    "what opens in other words": ("opened", lambda a: a + 7, "range"),
    "one mask less": ("masked", lambda a: a[:-1], "shape"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_answer_costs_its_client_the_round_and_no_other(tmp_path, what):
    name, change, code = BAD[what]
    plain, _ = run(tmp_path, "plain", clients=6, faults={3: _nothing}, **PLAIN)
    secure, done = run(tmp_path, "secure", clients=6, faults={3: changed(name, change)}, **SECURE)
    assert done
    assert result(secure) == result(plain)
    (row,) = rounds(secure)
    assert (row["replies"], row["rejected"], row["rejected_codes"]) == (5, 1, {code: 1})
    (line,) = [e for e in Ledger(secure / "ledger").entries() if e.verdict == "rejected"]
    assert (line.client, line.code, bool(line.reason)) == ("2", code, True)


@pytest.mark.parametrize("half", [slice(0, 64), slice(0, 32), slice(32, 64)])
def test_of_two_clients_with_one_key_the_later_is_refused(tmp_path, half):
    seen: list[np.ndarray] = []

    def remember(keys: np.ndarray) -> np.ndarray:
        seen.append(keys)
        return keys

    def copy(keys: np.ndarray) -> np.ndarray:
        keys[half] = seen[0][half]
        keys[half.stop - 1] ^= 128  # the same point: X25519 does not look at this bit
        return keys

    faults = {2: changed("keys", remember), 5: changed("keys", copy)}
    plain, _ = run(tmp_path, "plain", clients=6, faults={5: _nothing}, **PLAIN)
    secure, done = run(tmp_path, "secure", clients=6, faults=faults, **SECURE)
    assert done
    assert result(secure) == result(plain)
    assert rounds(secure)[0]["rejected_codes"] == {"duplicate-set": 1}
    (line,) = [e for e in Ledger(secure / "ledger").entries() if e.verdict == "rejected"]
    assert line.client == "4"


@pytest.mark.parametrize(
    "fault",
    [
        changed("given", lambda a: a[:-1]),
        changed("shares", lambda a: np.where(np.arange(6)[:, None] < 2, 0, a).astype(np.uint8)),
    ],
    ids=["its own are no shares", "its shares open for four of six"],
)
def test_a_client_whose_masks_the_others_can_take_off_is_in_the_sum(tmp_path, fault):
    plain, _ = run(tmp_path, "plain", clients=6, **PLAIN)
    secure, done = run(tmp_path, "secure", clients=6, faults={6: fault}, **SECURE)
    assert done
    assert result(secure) == result(plain)
    assert rounds(secure)[0]["replies"] == 6


def test_an_answer_that_is_refused_after_the_sketch_is_in_the_row_and_the_ledger(tmp_path):
    fault = changed("given", lambda a: a[:-1])
    secure, _ = run(tmp_path, "secure", faults={2: fault}, **SECURE)
    (row,) = rounds(secure)
    assert (row["replies"], row["rejected_codes"]) == (4, {"shape": 1})
    found = [(e.client, e.verdict) for e in Ledger(secure / "ledger").entries()]
    assert found[:3] == [("1", "rejected"), ("secure sum", "accepted"), ("0", "summed")]


def test_no_client_of_it_can_be_forgotten_from_the_ledger(tmp_path):
    folder, _ = run(tmp_path, **SECURE)
    with pytest.raises(DataError, match="no sketch to leave out"):
        scope_of(load_run(folder), Ledger(folder / "ledger").entries(), "0")
