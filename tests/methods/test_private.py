"""Runs under a private mode: killed, without a client, with one exhausted, behind a secure sum."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, Message, RecordDict

from fdd_flower.client import respond
from fdd_flower.client.release import send_release
from fdd_flower.config import Config, Scalar, from_run_config, to_run_config
from fdd_flower.data import client_share, load_dataset
from fdd_flower.errors import ConfigError, DataError, FddError, QuorumError
from fdd_flower.ledger import ACCEPTED, QUARANTINED, Ledger
from fdd_flower.ledger.verify import verify
from fdd_flower.methods._private import PRIVATE, SIGMA, PrivateSum, release_of
from fdd_flower.privacy import accountant, budget
from fdd_flower.privacy.accountant import Spend
from fdd_flower.releases.coding import shift_of
from fdd_flower.releases.terms import spend_of
from fdd_flower.run_folder.load import load_run
from fdd_flower.secure_sum.server import SecureRound
from fdd_flower.server.checks import make_plan
from fdd_flower.server.forget import forget, scope_of
from fdd_flower.server.server_run import ServerRun
from fdd_flower.wire.records import ARRAYS, META
from tests.secure_sum.test_company import node_of, write_keys
from tests.secure_sum.test_sum_in_a_run import gone_at, name_of
from tests.server.test_resume import Killed, killing, result, resume, start

CLIENTS = 4
BASE: dict[str, Scalar] = {
    "num-server-rounds": 1,
    "privacy.mode": "dp-moments",
    "privacy.epsilon": 10.0,
    "privacy.rows": 20,
    "training.steps": 20,
    "model.name": "logistic",
    "partition.name": "iid",
    "data.name": "wine",  # 13 numbers of 3 classes: noise for 360 sums is drawn in no time
    "strategy.deadline": 600.0,
}
SECURE: dict[str, Scalar] = BASE | {"sketch.secure-sum": True}
FORM = {"schema", "client", "nonce", "round"}
EPSILONS = cache(accountant.epsilon_of)


@pytest.fixture(autouse=True)
def _known_epsilons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work out once what all clients have spent alike."""
    monkeypatch.setattr(budget, "epsilon_of", lambda spends, delta: EPSILONS(tuple(spends), delta))


def run(folder: Path, base: dict[str, Scalar] = BASE, *, grid: Any = None, **changes: Any) -> Path:
    """Run both apps and return the folder; the error where the run fails."""
    named = {key.replace("__", ".").replace("_", "-"): value for key, value in changes.items()}
    settings = to_run_config(Config()) | base | {"output.dir": str(folder)} | named
    start(settings, **({"clients": CLIENTS} | (grid or {})))
    return folder


def row_of(folder: Path) -> dict[str, Any]:
    (line,) = (folder / "rounds.jsonl").read_text().splitlines()
    return json.loads(line)


def card_in(folder: Path) -> tuple[int, float]:
    """Return the releases and the epsilon of a run's privacy card."""
    card = json.loads((folder / "summary.json").read_text())["privacy"]
    return card["releases"], card["epsilon"]


def hashes(folder: Path) -> dict[str, str]:
    return {e.client: e.sha256 for e in Ledger(folder / "ledger").entries() if e.sha256}


def charges(folder: Path) -> list[int]:
    """Return how many releases were charged to each client, by the files in `folder`."""
    found = []
    for path in sorted(folder.rglob("*.sqlite")):
        if path.name != "index.sqlite":
            with sqlite3.connect(path) as db:
                found.append(db.execute("SELECT sum(releases) FROM charges").fetchone()[0] or 0)
    return found


class Noise:
    """Noise that follows from a seed and from how often it was asked for, and what was asked."""

    def __init__(self) -> None:
        self.sigmas: list[float] = []
        self.drawn: list[np.ndarray] = []

    def __call__(self, count: int, sigma: float) -> np.ndarray:
        """Return whole numbers of standard deviation `sigma`."""
        rng = np.random.default_rng(len(self.sigmas))
        self.sigmas.append(sigma)
        self.drawn.append(np.rint(rng.normal(0, sigma, count)).astype(np.int64))
        return self.drawn[-1]


def known(patch: pytest.MonkeyPatch, noise: Any) -> None:
    """Let clients draw from `noise`."""
    method = replace(PRIVATE, client=partial(send_release, noise=noise))
    patch.setattr(respond, "method_of", lambda cfg: method)


def same_for_all(count: int, sigma: float) -> np.ndarray:
    """Return the same noise at each call, as two runs are to be compared."""
    seed = int.from_bytes(hashlib.sha256(f"{count}".encode()).digest()[:4])
    return np.rint(np.random.default_rng(seed).normal(0, sigma, count)).astype(np.int64)


def _nothing(message: Message) -> Message:
    message.content = RecordDict()
    return message


# ---------------------------------------------------------------- each client's own noise


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("private") / "plain")


def test_a_run_leaves_rows_of_what_the_noisy_sums_say(plain: Path) -> None:
    found = row_of(plain)
    assert (found["replies"], found["rejected"]) == (CLIENTS, 0)
    assert json.loads((plain / "summary.json").read_text())["status"] == "completed"
    assert found["seconds_distill_max"] == 0.0
    assert result(plain).keys() == {"synthetic.safetensors", "model.safetensors"}


def test_two_runs_are_not_alike_for_noise_has_no_seed(plain: Path, tmp_path: Path) -> None:
    again = run(tmp_path / "again")
    assert result(again) != result(plain)
    assert not set(hashes(again).values()) & set(hashes(plain).values())


@pytest.mark.parametrize(
    ("owner", "name", "after"), [(PrivateSum, "learn", False), (ServerRun, "_append", True)]
)
def test_killed_and_resumed_each_client_sends_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, after: bool
) -> None:
    sent: dict[str, set[bytes]] = {}

    def note(message: Message) -> Message:
        meta = message.content[META]
        assert set(meta) == FORM
        data = message.content[ARRAYS]["release"].data  # type: ignore[index, union-attr]
        sent.setdefault(str(meta["client"]), set()).add(data)  # type: ignore[index]
        return message

    grid = {"clients": CLIENTS, "faults": dict.fromkeys(range(1, CLIENTS + 1), note)}
    killing(monkeypatch, owner, name, 1, after=after)
    with pytest.raises(Killed):
        run(tmp_path / "run", grid=grid)
    before = hashes(tmp_path / "run")
    assert charges(tmp_path / "run") == [1] * CLIENTS
    resume(tmp_path / "run", **grid)
    assert {len(each) for each in sent.values()} == {1}
    assert len(sent) == CLIENTS
    assert hashes(tmp_path / "run") == before


def test_killed_and_resumed_it_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        known(patch, same_for_all)
        whole = run(tmp_path / "whole")
        with pytest.MonkeyPatch.context() as killer:
            killing(killer, ServerRun, "_finish_round", 1, after=True)
            with pytest.raises(Killed):
                run(tmp_path / "killed")
    resume(tmp_path / "killed", clients=CLIENTS)  # with fresh noise, if anybody drew
    assert result(tmp_path / "killed") == result(whole)


def test_a_client_that_is_forgotten_leaves_what_a_run_without_it_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, same_for_all)
    whole = run(tmp_path / "whole")
    never = run(tmp_path / "never", grid={"clients": CLIENTS, "faults": {3: _nothing}})
    scope = scope_of(load_run(whole), Ledger(whole / "ledger").entries(), "2")
    assert scope.why == "exact: nothing depended on it"
    new = forget(load_run(whole), "2", scope, tmp_path / "new")
    assert result(new) == result(never) != result(whole)
    ledger = Ledger(new / "ledger")
    assert {entry.client for entry in ledger.entries()} == {"0", "1", "3"}
    assert list(verify(ledger, ledger.entries())) == []


def _nodes(tmp_path: Path, budgets: dict[int, float]) -> dict[int, dict[str, Any]]:
    return {
        node: {
            "partition-id": node - 1,
            "num-partitions": CLIENTS,
            "privacy.max-epsilon": most,
            "privacy.delta": 1e-5,
            "privacy.folder": str(tmp_path / "budgets" / str(node)),
        }
        for node, most in budgets.items()
    }


def test_without_an_exhausted_client_the_round_goes_on_if_there_is_a_quorum(
    tmp_path: Path,
) -> None:
    nodes = _nodes(tmp_path, {1: 1.0, 2: 10.0, 3: 10.0, 4: 10.0})
    grid: dict[str, Any] = {"clients": CLIENTS, "node_configs": nodes}
    run(tmp_path / "first", grid=grid, privacy__epsilon=1.0)
    assert row_of(tmp_path / "first")["replies"] == CLIENTS
    grid["run_id"] = 2  # of another nonce: under the first one it would be the same question
    run(tmp_path / "second", grid=grid, privacy__epsilon=1.0, strategy__quorum=3)
    found = row_of(tmp_path / "second")
    assert (found["replies"], found["rejected_codes"]) == (3, {"refused": 1})
    assert set(hashes(tmp_path / "second")) >= {"1", "2", "3"}
    assert charges(tmp_path / "budgets") == [1, 2, 2, 2]
    grid["run_id"] = 3
    with pytest.raises(QuorumError):
        run(tmp_path / "third", grid=grid, privacy__epsilon=1.0, strategy__quorum=4)
    assert charges(tmp_path / "budgets") == [1, 3, 3, 3]


# ---------------------------------------------------------------- noise behind a secure sum


def exact_sum(settings: dict[str, Scalar], gone: int | None = None) -> torch.Tensor:
    """Return the sum over all clients' records but those of `gone`, without noise."""
    cfg = from_run_config(to_run_config(Config()) | settings)
    dataset = load_dataset(cfg.data, seed=cfg.seed)
    release = release_of(cfg, make_plan(cfg, dataset, "x"), torch.device("cpu"))
    parts = [
        client_share(dataset, cfg.partition, client=c, num_clients=CLIENTS, seed=cfg.seed)
        for c in range(CLIENTS)
        if c != gone
    ]
    total = torch.zeros(release.size, dtype=torch.int64)
    for part in parts:
        total += release.sum(part)
    return total


@pytest.mark.parametrize(("quorum", "colluding", "gone"), [(1, 0, None), (3, 1, 2), (4, 2, None)])
def test_the_total_has_the_noise_that_is_promised_and_more(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quorum: int,
    colluding: int,
    gone: int | None,
) -> None:
    noise = Noise()
    known(monkeypatch, noise)
    faults = {} if gone is None else {gone + 1: gone_at("masked")}
    changes = {"strategy.quorum": quorum, "privacy.colluding": colluding}
    settings = SECURE | changes
    run(tmp_path / "run", settings, grid={"clients": CLIENTS, "faults": faults})

    cfg = from_run_config(to_run_config(Config()) | settings)
    stay = max(3, quorum)  # of 4 clients more than half
    needed = spend_of(cfg).sigma
    dataset = load_dataset(cfg.data, seed=cfg.seed)
    release = release_of(cfg, make_plan(cfg, dataset, "x"), torch.device("cpu"))
    spreads = sorted(set(release.spread.tolist()))
    each = np.array(noise.sigmas).reshape(CLIENTS, len(spreads)) / release.unit / spreads
    # of all that must stay, those that do not collude have it between them
    least = np.sort(each, axis=0)[: stay - colluding]
    assert (np.sqrt((least**2).sum(axis=0)) >= needed).all()
    assert (each <= needed / math.sqrt(stay - colluding) * (1 + 1e-12)).all()

    ledger = Ledger(tmp_path / "run" / "ledger")
    assert set(hashes(tmp_path / "run")) == {"secure sum"}
    total: Any = ledger.load_any(hashes(tmp_path / "run")["secure sum"])
    shift = shift_of(each.min(), release.unit, release.spread)
    assert int(total["shift"]) == shift
    present = [client for client in range(CLIENTS) if client != gone]
    found = (total["release"].double() * 2**shift - exact_sum(settings, gone)).numpy()
    wide = release.spread.expand(release.size).numpy()
    drawn = np.zeros(release.size)
    for client in present:
        for place, value in enumerate(spreads):
            drawn[wide == value] += noise.drawn[client * len(spreads) + place]
    # what is sent is rounded: by at most half a step a client
    assert np.abs(found - drawn).max() <= 2**shift / 2 * len(present)
    measured = (found / wide / release.unit).std()
    assert measured == pytest.approx(float(total[SIGMA]), rel=0.2)
    assert measured >= needed * 0.8


def _refusals(folder: Path, base: dict[str, Scalar], caplog: Any, **changes: Any) -> str:
    with pytest.raises(FddError):
        run(folder, base, **changes)
    return caplog.text


def test_a_quorum_too_low_for_those_who_collude_is_refused_before_a_charge(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = _refusals(tmp_path / "run", SECURE, caplog, privacy__colluding=2)
    assert "strategy.quorum: expected above 3, for a secure sum of 4 clients" in said
    assert not any(charges(tmp_path / "run"))


@pytest.mark.parametrize("promise", [0.0, 10.0])
def test_a_second_sum_is_another_release(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    promise: float,
) -> None:
    nodes = _nodes(tmp_path, dict.fromkeys(range(1, CLIENTS + 1), 50.0))
    write_keys(tmp_path, CLIENTS)  # who has a budget shares noise among those that it knows
    nodes = {node: its | node_of(tmp_path, node - 1) for node, its in nodes.items()}
    grid = {"clients": CLIENTS, "node_configs": nodes}
    settings = SECURE | ({} if promise else {"privacy.sigma": 1.0})
    with monkeypatch.context() as patch:
        killing(patch, SecureRound, "end", 1, after=False)
        with pytest.raises(Killed):
            run(tmp_path / "run", settings, grid=grid)
    assert charges(tmp_path / "budgets") == [1] * CLIENTS
    if not promise:
        resume(tmp_path / "run", **grid)
        assert charges(tmp_path / "budgets") == [2] * CLIENTS
        twice = EPSILONS((Spend(1.0), Spend(1.0)), 1e-5)
        assert card_in(tmp_path / "run") == (2, pytest.approx(twice))
        assert row_of(tmp_path / "run")["epsilon"] == pytest.approx(twice)
        return
    with pytest.raises(QuorumError):  # two cost more than the run promised
        resume(tmp_path / "run", **grid)
    assert "refusal (BudgetError)" in caplog.text
    assert charges(tmp_path / "budgets") == [1] * CLIENTS
    assert card_in(tmp_path / "run") == (1, pytest.approx(10.0, rel=1e-3))


@pytest.mark.parametrize(("owner", "name"), [(PrivateSum, "learn")])
def test_killed_with_the_sum_in_the_ledger_nobody_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    known(monkeypatch, same_for_all)
    whole = run(tmp_path / "whole", SECURE)
    with monkeypatch.context() as patch:
        killing(patch, owner, name, 1, after=False)
        with pytest.raises(Killed):
            run(tmp_path / "run", SECURE)
    asked: list[Message] = []
    resume(
        tmp_path / "run", clients=CLIENTS, faults=dict.fromkeys(range(1, CLIENTS + 1), asked.append)
    )
    assert not asked
    assert result(tmp_path / "run") == result(whole)


def test_who_is_in_a_sum_of_shared_noise_cannot_be_forgotten(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", SECURE)
    with pytest.raises(DataError, match=r"sketch\.secure-sum: expected false; got true"):
        scope_of(load_run(folder), Ledger(folder / "ledger").entries(), "0")


def test_behind_masks_a_reply_holds_no_more_than_the_masked_numbers(tmp_path: Path) -> None:
    seen: dict[str, list[tuple[Any, ...]]] = {}

    def note(message: Message) -> Message:
        record = message.content.array_records.get(ARRAYS, ArrayRecord())
        shapes = tuple((n, a.dtype, a.shape, len(a.data)) for n, a in record.items())
        metrics = tuple(message.content.metric_records["metrics"].items())
        seen.setdefault(name_of(message), []).append(
            (shapes, metrics, frozenset(message.content[META]))
        )
        return message

    faults = dict.fromkeys(range(1, CLIENTS + 1), note)
    grid = {"clients": CLIENTS, "faults": faults}
    run(tmp_path / "run", SECURE, grid=grid, partition__name="classes")  # of two classes each
    assert set(seen) == {"keys", "shares", "opened", "masked", "given"}
    for found in seen.values():
        assert len(found) == CLIENTS
        assert len(set(found)) == 1  # all clients' are of one form and length
        assert found[0][1:] == ((("seconds", 0.0),), FORM)


# ---------------------------------------------------------------- what a release is worth


def test_each_clients_release_is_scored_and_nothing_else_changes(tmp_path, monkeypatch):
    known(monkeypatch, same_for_all)
    plain, scored = run(tmp_path / "plain"), run(tmp_path / "scored", scoring__mode="score")
    entries = Ledger(scored / "ledger").entries()
    assert len(entries) == CLIENTS
    measured = [value for one in entries for value in (one.agreement, one.outlier)]
    assert all(value is not None and math.isfinite(value) for value in measured)
    assert result(plain) == result(scored)


def test_a_release_of_wrong_labels_is_set_aside_and_forgetting_scores_again(tmp_path, monkeypatch):
    def wrong(release: Any, side: Any) -> Any:
        labels = (side.data.labels + (side.client == "2")) % len(side.data.classes)
        return release.sum(replace(side.data, labels=labels))

    known(monkeypatch, same_for_all)
    monkeypatch.setattr("fdd_flower.client.release._sum", wrong)
    folder = run(tmp_path / "run", scoring__mode="quarantine")
    entries = Ledger(folder / "ledger").entries()
    assert [one.client for one in entries if one.verdict == QUARANTINED] == ["2"]
    assert row_of(folder)["rejected_codes"] == {"quarantined": 1}
    new = forget(load_run(folder), "0", scope_of(load_run(folder), entries, "0"), tmp_path / "new")
    # it is scored among the others again, who are fewer
    left = {one.client: one for one in Ledger(new / "ledger").entries()}
    before = {one.client: one for one in entries}
    assert set(left) == {"1", "2", "3"}
    assert {left[client].verdict for client in "13"} == {ACCEPTED}
    assert left["2"].agreement == before["2"].agreement  # of its own rows and the server's records
    assert left["2"].outlier != before["2"].outlier


# ---------------------------------------------------------------- what is refused, and why

REFUSED: list[tuple[dict[str, Scalar], str, str]] = [
    ({"distiller.start": "real-unsafe"}, "distiller.start", "nobody charged"),
    ({"distiller.start": "class-mean"}, "distiller.start", "nobody charged"),
    ({"distiller.bytes": 4000}, "distiller.bytes", "would follow the records"),
    ({"distiller.embedder": "global"}, "distiller.embedder", "nobody charged"),
    ({"distiller.labels": "global"}, "distiller.labels", "nobody charged"),
    ({"distiller.min-records": 9}, "distiller.min-records", "tells that it is small"),
    ({"num-server-rounds": 2}, "num-server-rounds", "release the same sums again"),
    ({"strategy.name": "fedavg"}, "privacy.mode", "has no accounting"),
    ({"strategy.name": "scaffold"}, "privacy.mode", "has no accounting"),
    ({"strategy.name": "sketch"}, "privacy.mode", "has no accounting"),
    ({"strategy.name": "fedaf"}, "privacy.mode", "has no accounting"),
    ({"strategy.name": "dynafed"}, "privacy.mode", "has no accounting"),
    ({"distiller.name": "krr"}, "distiller.name", "Leave it"),
    ({"distiller.ipc": 20}, "distiller.ipc", "Leave it"),
    ({"codec.name": "float32"}, "codec.name", "Leave it"),
    ({"merger.name": "weighted"}, "merger.name", "Leave it"),
    ({"scoring.quota": 2.0}, "scoring.quota", "Leave it"),
    ({"sketch.secure-sum": True, "scoring.mode": "score"}, "scoring.mode", "Leave it"),
    ({"privacy.mode": "dp-dm"}, "privacy.rows", "Leave it"),
    ({"privacy.colluding": 1}, "privacy.colluding", "Leave it"),
    ({"sketch.secure-sum": True, "strategy.fraction": 0.5}, "strategy.fraction", "Leave it"),
    ({"sketch.secure-sum": True, "sketch.neighbours": 3}, "sketch.neighbours", "Leave it"),
    ({"privacy.mode": "none"}, "privacy.epsilon", "Leave it"),
]


@pytest.mark.parametrize(("changes", "key", "why"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_would_let_records_through_is_refused_with_the_reason(
    tmp_path: Path, changes: dict[str, Scalar], key: str, why: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        run(tmp_path / "run", BASE | changes)
    assert caught.value.what == key
    assert why in str(caught.value)
    assert not (tmp_path / "run").exists()
