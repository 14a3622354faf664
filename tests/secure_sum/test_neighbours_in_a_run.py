"""Runs whose clients share masks with neighbours only: the same sum, and who costs whom it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Message
from scipy.stats import chisquare

from fdd_flower.ledger import Ledger
from fdd_flower.run_folder.load import load_run
from fdd_flower.secure_sum.graph import Graph
from fdd_flower.wire.records import ARRAYS
from tests.methods.test_end_to_end import rounds, run
from tests.methods.test_sketch import _nothing
from tests.secure_sum.test_protocol import ring
from tests.secure_sum.test_sum_in_a_run import (
    PLAIN,
    SECURE,
    changed,
    gone_at,
    noise,
)
from tests.server.test_resume import result

CLIENTS = 12
NEAR: dict[str, Any] = SECURE | {"sketch__neighbours": 4}


@pytest.fixture
def in_order(monkeypatch) -> None:
    """Have places stand in the ring in order: node n is at place n - 1, beside n - 1 and n + 1."""
    monkeypatch.setattr(Graph, "draw", lambda clients, neighbours: ring(clients, neighbours))


def near(tmp_path, nodes=(), *, clients: int = CLIENTS, **faults: Any):
    """Return the run without `nodes`, in the plain, and the one under masks with `faults`."""
    absent = dict.fromkeys(nodes, _nothing)
    plain, _ = run(tmp_path, "plain", clients=clients, faults=absent, **PLAIN)
    secure, done = run(tmp_path, "secure", clients=clients, **faults, **NEAR)
    assert done
    return plain, secure


def status(folder) -> str:
    return load_run(folder).summary.status


def test_the_model_is_that_of_the_complete_graph(tmp_path):
    complete, _ = run(tmp_path, "complete", clients=CLIENTS, **SECURE)
    plain, secure = near(tmp_path)
    assert result(secure) == result(complete) == result(plain)
    assert rounds(secure)[0]["replies"] == CLIENTS


@pytest.mark.parametrize("step", ["keys", "shares", "opened", "masked"])
def test_without_clients_that_went_the_sum_is_that_of_the_others(tmp_path, step):
    plain, secure = near(tmp_path, {5, 6}, faults=dict.fromkeys({5, 6}, gone_at(step)))
    assert result(secure) == result(plain)


@pytest.mark.usefixtures("in_order")
def test_with_clients_gone_at_every_step_it_is_exact(tmp_path):
    faults = {1: gone_at("shares"), 4: gone_at("opened"), 8: gone_at("masked")}
    plain, secure = near(tmp_path, set(faults), faults=faults | {11: gone_at("given")})
    assert result(secure) == result(plain)


def test_a_client_hears_of_its_neighbours_alone_and_sends_what_is_uniform(tmp_path):
    seen: dict[str, np.ndarray] = {}

    def look(message: Message) -> Message:
        record = message.content.array_records.get(ARRAYS, ArrayRecord())
        seen.update({name: array.numpy() for name, array in record.items()})
        return message

    run(tmp_path, clients=CLIENTS, faults={3: look}, **NEAR)
    assert seen["shares"].shape == (5, 80)
    assert seen["opened"].shape == (5,)
    assert seen["given"].shape == (5, 32)
    assert chisquare(np.bincount(seen["masked"].flatten(), minlength=256)).pvalue > 1e-6


@pytest.mark.usefixtures("in_order")
@pytest.mark.parametrize("step", ["shares", "opened"])
def test_who_has_too_few_neighbours_is_left_out_and_not_refused(tmp_path, caplog, step):
    plain, secure = near(tmp_path, {2, 3, 4, 5}, faults=dict.fromkeys({2, 4, 5}, gone_at(step)))
    assert result(secure) == result(plain)
    assert "left out 1 client, with too few neighbours" in caplog.text
    (row,) = rounds(secure)
    assert (row["replies"], row["rejected"]) == (CLIENTS - 4, 0)


@pytest.mark.usefixtures("in_order")
@pytest.mark.parametrize("step", ["shares", "opened"])
def test_of_two_parts_without_a_mask_between_them_the_larger_is_in_the_sum(tmp_path, step):
    gone = dict.fromkeys({1, 2, 6, 7}, gone_at(step))
    plain, secure = near(tmp_path, {1, 2, 3, 4, 5, 6, 7}, clients=16, faults=gone)
    assert result(secure) == result(plain)


@pytest.mark.usefixtures("in_order")
@pytest.mark.parametrize(
    ("nodes", "step", "sentence"),
    [
        ({2, 4, 5}, "masked", "2 clients near client 2 in the secure sum, which needs 3"),
        ({2, 3, 4}, "masked", "2 clients near client 1 in the secure sum, which needs 3"),
        ({1, 2, 7, 8}, "masked", "in 2 parts without masks between them"),
        ({1, 2, 7, 8}, "shares", "4 clients in the secure sum, which needs 7"),
        ({2, 4, 5}, "given", "secret of client 2 of the secure sum: expected enough shares"),
        (set(range(1, 13, 2)), "masked", "6 clients in the secure sum, which needs 7"),
    ],
)
def test_with_too_few_left_the_run_ends_with_a_sentence(tmp_path, nodes, step, sentence):
    faults = dict.fromkeys(nodes, gone_at(step))
    folder, done = run(tmp_path, clients=CLIENTS, faults=faults, **NEAR)
    assert not done
    assert sentence in status(folder)


BAD = {
    "keys of a low order": ("keys", np.zeros_like, "range"),
    "shares that do not open": ("shares", noise, "undecodable"),
    "a share less": ("shares", lambda a: a[:-1], "shape"),
    "one more that opens": ("opened", lambda a: np.append(a, a[:1]), "shape"),
    "one mask less": ("masked", lambda a: a[:-1], "shape"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_answer_costs_its_client_the_round_and_no_other(tmp_path, what):
    name, change, code = BAD[what]
    plain, secure = near(tmp_path, {3}, faults={3: changed(name, change)})
    assert result(secure) == result(plain)
    (row,) = rounds(secure)
    assert (row["replies"], row["rejected_codes"]) == (CLIENTS - 1, {code: 1})
    (line,) = [e for e in Ledger(secure / "ledger").entries() if e.verdict == "rejected"]
    assert (line.client, line.code) == ("2", code)


@pytest.mark.usefixtures("in_order")
def test_who_relied_on_a_client_that_is_refused_is_left_out(tmp_path):
    """Shares of node 3 open for three, one of which has shares of its own that do not open."""
    few = changed("shares", lambda a: np.where(np.arange(5)[:, None] < 2, 0, a).astype(np.uint8))
    plain, secure = near(tmp_path, {3, 5}, faults={3: few, 5: changed("shares", noise)})
    assert result(secure) == result(plain)
    assert rounds(secure)[0]["rejected_codes"] == {"undecodable": 1}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            PLAIN | {"sketch__neighbours": 4},
            "expected 0 with sketch.secure-sum=false, which does not",
        ),
        (
            SECURE | {"sketch__neighbours": 5},
            "expected 0 for all other clients, or an even number; got 5. Set it to 6",
        ),
        (SECURE | {"sketch__neighbours": -2}, "expected an integer from 0 to 10,000; got -2"),
    ],
)
def test_a_number_that_does_not_fit_is_refused_before_there_is_a_folder(
    tmp_path, caplog, settings, sentence
):
    folder, done = run(tmp_path, **settings)
    assert not done
    assert not folder.exists()
    assert f"sketch.neighbours: {sentence}" in caplog.text
