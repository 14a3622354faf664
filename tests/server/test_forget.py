"""A client that is forgotten leaves what a run gives in which it never joined, bit for bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Array, Message, MessageType, RecordDict

from fdd_flower.config import Scalar
from fdd_flower.errors import ConfigError, DataError
from fdd_flower.ledger import Entry, Ledger
from fdd_flower.ledger.verify import verify
from fdd_flower.run_folder.load import load_run
from fdd_flower.server.forget import forget, scope_of
from fdd_flower.wire.records import ARRAYS, META
from tests.server.test_resume import result, settings_of, start

CLIENTS = 4
FIRST_ROUND: dict[str, dict[str, Scalar]] = {
    "global": {"distiller__labels": "hard"},
    "fedaf": {},
    "peers": {"distiller__name": "dm", "distiller__peers": False},
}


def without(client: str, *, until: int = 99) -> dict[int, Any]:
    """Return faults by which `client` sends nothing usable up to the round `until`."""

    def nothing(message: Message) -> Message:
        if int(message.content[META]["round"]) <= until:  # type: ignore[index, arg-type, call-overload]
            message.content = RecordDict()
        return message

    return {int(client) + 1: nothing}


def run(folder: Path, method: str = "warm", *, faults: Any = None, **changes: Scalar) -> Path:
    settings = settings_of(folder, method) | {
        key.replace("__", ".").replace("_", "-"): value for key, value in changes.items()
    }
    start(settings, clients=CLIENTS, faults=faults)
    return folder


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that gives the folder of a run, which is made once and left as it is.

    `absent` are clients that send nothing usable up to the round `until`. A test that changes
    the folder copies it first.
    """
    done: dict[tuple[Any, ...], Path] = {}

    def folder(
        method: str = "warm", *, absent: tuple[str, ...] = (), until: int = 99, **changes: Scalar
    ) -> Path:
        key = (method, absent, until if absent else 99, *sorted(changes.items()))
        if key not in done:
            faults = {node: f for c in absent for node, f in without(c, until=until).items()}
            new = tmp_path_factory.mktemp("shared") / "run"
            done[key] = run(new, method, faults=faults, **changes)
        return done[key]

    return folder


def forgotten(folder: Path, client: str, out: Path) -> str:
    """Forget `client` and return what the command would say."""
    found = load_run(folder)
    scope = scope_of(found, Ledger(folder / "ledger").entries(), client)
    assert forget(found, client, scope, out) == out
    return scope.why


def holds_nothing_of(folder: Path, client: str, original: Path) -> bool:
    """Whether the new folder is whole, and free of what `client` sent."""
    ledger, old = Ledger(folder / "ledger"), Ledger(original / "ledger").entries()
    assert list(verify(ledger, ledger.entries())) == []
    hashes = {entry.sha256 for entry in old if entry.client == client and entry.sha256}
    others = {entry.sha256 for entry in old if entry.client != client}
    names = {path.stem for path in folder.rglob("*")}
    clients = {entry.client for entry in ledger.entries()}
    return client not in clients and not names & (hashes - others)


@pytest.mark.parametrize(("client", "changes"), [("0", {}), ("2", {"training__start": "scratch"})])
def test_exact_where_nothing_depended_on_it(tmp_path, shared, client, changes):
    whole, never = shared(**changes), shared(absent=(client,), **changes)
    why = forgotten(whole, client, tmp_path / "new")
    assert why == "exact: nothing depended on it"
    assert result(tmp_path / "new") == result(never)
    assert result(tmp_path / "new") != result(whole)
    assert holds_nothing_of(tmp_path / "new", client, whole)


def test_a_teacher_of_the_merged_set_forgets_too(tmp_path, shared):
    whole, never = shared("taught"), shared("taught", absent=("2",))
    assert forgotten(whole, "2", tmp_path / "new") == "exact: nothing depended on it"
    assert result(tmp_path / "new") == result(never)


def test_with_a_draw_it_is_exact_among_those_that_were_drawn(tmp_path, shared):
    def only_a_name(message: Message) -> Message:
        if message.metadata.message_type == MessageType.TRAIN:
            message.content = RecordDict()
        return message

    whole = shared(strategy__fraction=0.75)
    client = Ledger(whole / "ledger").entries()[0].client
    never = run(tmp_path / "never", faults={int(client) + 1: only_a_name}, strategy__fraction=0.75)
    why = forgotten(whole, client, tmp_path / "new")
    assert "without it strategy.fraction would have drawn others" in why
    assert result(tmp_path / "new") == result(never)


def test_a_client_that_came_late(tmp_path, shared):
    whole, never = shared(absent=("1",), until=1), shared(absent=("1",))
    assert forgotten(whole, "1", tmp_path / "new") == "exact: nothing depended on it"
    assert result(tmp_path / "new") == result(never)
    rows, old = load_run(tmp_path / "new").rows, load_run(whole).rows
    assert [(r.round, r.replies) for r in rows] == [(1, 3), (2, 3), (3, 3)]
    assert (rows[0].accuracy, rows[0].loss) == (old[0].accuracy, old[0].loss)


def test_the_rows_do_not_count_what_was_refused_of_it(tmp_path):
    def other_types(message: Message) -> Message:
        if int(message.content[META]["round"]) == 1:  # type: ignore[index, arg-type, call-overload]
            record = message.content[ARRAYS]
            for name, array in record.items():  # type: ignore[union-attr]
                record[name] = Array(array.numpy().astype("float64"))  # type: ignore[index, union-attr]
        return message

    whole = run(tmp_path / "whole", faults={2: other_types}, training__start="scratch")
    assert load_run(whole).rows[0].rejected == 1
    forgotten(whole, "1", tmp_path / "new")
    first = load_run(tmp_path / "new").rows[0]
    others = [e for e in Ledger(whole / "ledger").entries() if e.round == 1 and e.client != "1"]
    assert (first.replies, first.rejected, first.rejected_codes) == (3, 0, {})
    assert (first.bytes_up, first.bytes_down) == (sum(e.bytes for e in others), 0)


@pytest.mark.parametrize(
    ("method", "first"), [("global", 1), ("global", 2), ("peers", 1), ("fedaf", 1)]
)
def test_exact_up_to_the_round_that_others_were_conditioned_on(tmp_path, shared, method, first):
    whole = shared(method, absent=("2",) * (first > 1), until=first - 1)
    # a run with these has at least two rounds; this is what its first one is
    alone = FIRST_ROUND[method] if first == 1 else {}
    never = shared(method, absent=("2",), num_server_rounds=first, **alone)
    why = forgotten(whole, "2", tmp_path / "new")
    assert why.startswith(f"exact up to round {first}; later rounds were conditioned on its set")
    assert result(tmp_path / "new") == result(never)
    assert load_run(tmp_path / "new").summary.rounds == first
    assert load_run(tmp_path / "new").config.num_server_rounds == first
    assert holds_nothing_of(tmp_path / "new", "2", whole)


def test_one_round_is_exact_whatever_the_method(tmp_path, shared):
    whole = shared("global", num_server_rounds=1, **FIRST_ROUND["global"])
    assert forgotten(whole, "2", tmp_path / "new") == "exact: nothing depended on it"


def test_two_clients_one_after_the_other(tmp_path, shared):
    whole, never = shared(), shared(absent=("0", "3"))
    forgotten(whole, "3", tmp_path / "one")
    forgotten(tmp_path / "one", "0", tmp_path / "two")
    assert result(tmp_path / "two") == result(never)


def test_refusals_of_others_stay_with_their_payloads(tmp_path, shared):
    whole = shared(absent=("1",))
    forgotten(whole, "3", tmp_path / "new")
    old, new = (Ledger(folder / "ledger").entries() for folder in (whole, tmp_path / "new"))
    assert [e for e in old if e.verdict == "rejected"] == [
        e for e in new if e.verdict == "rejected"
    ]
    assert len([e for e in new if e.verdict == "rejected"]) == 3


def test_below_the_quorum_it_would_have_ended(tmp_path, shared):
    whole = shared(strategy__quorum=4)
    with pytest.raises(DataError, match=r"only 3 sets are left, and strategy\.quorum is 4"):
        forgotten(whole, "1", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_client_whose_sets_were_never_used(tmp_path, shared):
    whole = shared(absent=("1",))
    with pytest.raises(DataError, match="client '1': expected one of 0, 2, 3, node "):
        forgotten(whole, "1", tmp_path / "new")
    refused = next(e.client for e in Ledger(whole / "ledger").entries() if e.code)
    assert forgotten(whole, refused, tmp_path / "new") == "exact: no set of it was ever used"
    assert result(tmp_path / "new") == result(whole)


def test_a_strategy_that_keeps_no_sets_is_refused(tmp_path, shared):
    whole = shared("fedavg", num_server_rounds=1)
    with pytest.raises(DataError, match=r"strategy\.name: expected fdd"):
        forgotten(whole, "1", tmp_path / "new")


def test_a_folder_that_holds_a_run_is_refused(shared):
    whole = shared(num_server_rounds=1)
    with pytest.raises(ConfigError, match="a folder without a run"):
        forgotten(whole, "1", whole)


def test_a_damaged_set_is_named(tmp_path, shared):
    whole = shutil.copytree(shared(num_server_rounds=1), tmp_path / "whole")
    entry = next(e for e in Ledger(whole / "ledger").entries() if e.client == "3")
    (whole / "ledger" / f"{entry.sha256}.safetensors").unlink()
    with pytest.raises(DataError, match=entry.sha256):
        forgotten(whole, "1", tmp_path / "new")


def test_a_copy_of_its_set_would_have_counted(shared):
    """What was refused because of the client would not have been without it."""
    found = load_run(shared(num_server_rounds=1))
    entries = [
        Entry(
            round=1,
            client=client,
            plan="p",
            verdict=verdict,
            code=code,
            reason=reason,
            sha256="",
            bytes=1,
        )
        for client, verdict, code, reason in (
            ("0", "accepted", "", ""),
            ("1", "accepted", "", ""),
            ("2", "accepted", "", ""),
            ("3", "rejected", "duplicate-set", "expected ...; got the one that client 1 sent."),
        )
    ]
    with pytest.raises(DataError, match="client 3 was refused as a copy of one of its own"):
        scope_of(found, entries, "1")
    assert scope_of(found, entries, "2").rounds == 1


def test_after_a_purge_it_is_still_known_how_far_it_reached(tmp_path, shared):
    whole = shutil.copytree(shared("global"), tmp_path / "whole")
    ledger = Ledger(whole / "ledger")
    before = scope_of(load_run(whole), ledger.entries(), "1")
    assert ledger.forget("1") == 3
    assert scope_of(load_run(whole), ledger.entries(), "1") == before
