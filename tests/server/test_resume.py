"""A run that was killed anywhere goes on, and ends as if nobody had."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from flwr.app import Context, Message, RecordDict

import client_app
import server_app
from fdd_flower.config import Config, Scalar, to_run_config
from fdd_flower.errors import ConfigError, DataError, FddError
from fdd_flower.ledger import Ledger, _blobs, _index
from fdd_flower.ledger.verify import verify
from fdd_flower.local_grid import LocalGrid
from fdd_flower.run_folder import files, run_dir
from fdd_flower.run_folder.checkpoint import Checkpoint, load_checkpoint
from fdd_flower.run_folder.tensor_file import unpack
from fdd_flower.server import server_run
from fdd_flower.server.server_run import ServerRun
from tests.methods.test_end_to_end import QUICK

SETTINGS: dict[str, Scalar] = QUICK | {
    "num-server-rounds": 3,
    "training.steps": 10,
    "distiller.steps": 1,
    "distiller.networks": 1,
    "distiller.sample": 20,
    "distiller.start": "noise",
}
RESULT = ("synthetic.safetensors", "model.safetensors")

# Methods that carry different things from round to round.
METHODS: dict[str, dict[str, Scalar]] = {
    "warm": {"training.start": "warm"},
    "global": {
        "distiller.embedder": "global",
        "distiller.labels": "global",
        "codec.name": "float16",
    },
    "peers": {"distiller.name": "krr", "distiller.peers": True},
    "taught": {"server.teacher": "mlp", "server.models": "mlp"},
    "readout": {"strategy.finish": "readout"},
    "fine-tune": {"strategy.finish": "fine-tune", "strategy.finish-rounds": 2},
    "fitted": {
        "strategy.finish": "fine-tune",
        "strategy.finish-rounds": 2,
        "strategy.finish-step": "fitted",
    },
    "fedavg": {"strategy.name": "fedavg"},
    "scaffold": {"strategy.name": "scaffold"},
    "dynafed": {
        "strategy.name": "dynafed",
        "dynafed.rounds": 2,
    },
    "fedaf": {"strategy.name": "fedaf"},
    "fedlgd": {"strategy.name": "fedlgd", "fedlgd.every": 2},
}


class Killed(BaseException):
    """Stands for `kill -9`: nothing after it runs."""


def start(settings: dict[str, Scalar], *, clients: int = 3, run_id: int = 1, **grid: Any) -> None:
    """Run both apps as a new Flower run, with nothing left in memory of an earlier one."""
    local = LocalGrid(client_app.app, clients, settings, **grid)
    context = Context(
        run_id=run_id, node_id=0, node_config={}, state=RecordDict(), run_config=settings
    )
    server_app.app(local, context)


def settings_of(folder: Path, method: str = "warm") -> dict[str, Scalar]:
    return to_run_config(Config()) | SETTINGS | METHODS[method] | {"output.dir": str(folder)}


def resume(folder: Path, **grid: Any) -> None:
    """Resume as `flwr run --run-config 'resume="..."'` does: all else is at its default."""
    start(to_run_config(Config()) | {"resume": str(folder)}, run_id=2, **grid)


def result(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULT if (folder / name).exists()}


def facts(folder: Path) -> list[tuple[Any, ...]]:
    """Return of each round what does not depend on clocks and retries."""
    rows = [json.loads(line) for line in (folder / "rounds.jsonl").read_text().splitlines()]
    return [(row["round"], row["accuracy"], row["loss"], row["replies"]) for row in rows]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function of a method's name: the folder of a run that nobody killed."""
    done: dict[str, Path] = {}

    def folder(method: str) -> Path:
        if method not in done:
            done[method] = tmp_path_factory.mktemp("whole") / method
            start(settings_of(done[method], method))
        return done[method]

    return folder


def killing(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, at: int, *, after: bool
) -> None:
    """Let the process die at the `at`-th call of a function: before it, or after it."""
    original, calls = getattr(owner, name), []

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        if len(calls) != at:
            return original(*args, **kwargs)
        if after:
            original(*args, **kwargs)
        monkeypatch.undo()
        # what a process does on its way out, a killed one does not do
        monkeypatch.setattr(ServerRun, "_finish_run", lambda *_: None)
        raise Killed(f"at call {at} of {name}")

    monkeypatch.setattr(owner, name, wrapped)


def kill_and_resume(
    folder: Path, monkeypatch: pytest.MonkeyPatch, method: str, point: tuple[Any, str, int, bool]
) -> None:
    owner, name, at, after = point
    with monkeypatch.context() as patch:
        killing(patch, owner, name, at, after=after)
        with pytest.raises(Killed):
            start(settings_of(folder, method))
    resume(folder)


POINTS = {
    "the folder is being claimed": (files.os, "link", 1, True),
    "no checkpoint": (run_dir.RunDir, "write_checkpoint", 1, False),
    "before round 1": (run_dir.RunDir, "write_checkpoint", 1, True),
    "first set of round 1": (_blobs, "stage_set", 1, True),
    "while a set of round 2 is written": (_blobs, "stage_set", 6, False),
    "between names and rows in round 2": (_index, "add", 2, False),
    "after all sets of round 2": (_index, "add", 2, True),
    "after training in round 2": (server_run, "evaluate", 2, True),
    "before the checkpoint of round 2": (run_dir.RunDir, "write_checkpoint", 3, False),
    "between checkpoint and row of round 2": (run_dir.RunDir, "append_round", 2, False),
    "between rounds 2 and 3": (run_dir.RunDir, "append_round", 2, True),
    "after the last checkpoint": (run_dir.RunDir, "append_round", 3, False),
    "between model and set at the end": (run_dir.RunDir, "write_synthetic", 1, False),
    "before the summary": (run_dir.RunDir, "write_summary", 1, False),
    "after the summary": (run_dir.RunDir, "write_summary", 1, True),
    "before it tidies up": (run_dir.RunDir, "clear", 1, False),
}


# the others are near these; they run with FDD_LONG_TESTS=1
QUICK_POINTS = (
    "the folder is being claimed", "no checkpoint", "first set of round 1",
    "between names and rows in round 2", "before the checkpoint of round 2",
    "between checkpoint and row of round 2", "between model and set at the end",
    "after the summary",
)  # fmt: skip
LONG = (
    pytest.mark.long,
    pytest.mark.skipif(os.environ.get("FDD_LONG_TESTS") != "1", reason="FDD_LONG_TESTS=1"),
)


def some(names: Iterable[str], quick: Iterable[str]) -> list[Any]:
    return [pytest.param(name, marks=() if name in quick else LONG) for name in names]


@pytest.mark.parametrize("point", some(POINTS, QUICK_POINTS))
def test_killed_anywhere_it_ends_the_same(point, tmp_path, monkeypatch, uninterrupted):
    whole, folder = uninterrupted("warm"), tmp_path / "run"
    kill_and_resume(folder, monkeypatch, "warm", POINTS[point])
    assert result(folder) == result(whole)
    assert facts(folder) == facts(whole)
    assert {p.name for p in folder.iterdir()} == {p.name for p in whole.iterdir()}
    ledger = Ledger(folder / "ledger")
    entries = ledger.entries()
    assert list(verify(ledger, entries)) == []
    counted = [(e.round, e.client, e.sha256) for e in entries if e.verdict == "accepted"]
    before = [(e.round, e.client, e.sha256) for e in Ledger(whole / "ledger").entries()]
    assert counted == before


# Parameters are in no ledger, and averaging them makes no set: such runs never come by these.
NO_LEDGER, NO_SET = ("fedavg", "scaffold", "dynafed", "fedlgd"), ("fedavg", "scaffold")
OF_LEDGER = [name for name, (owner, *_) in POINTS.items() if owner in (_blobs, _index)]
OF_SET = ["between model and set at the end"]


def passed_by(method: str) -> list[str]:
    """Return the points that a run of `method` comes by."""
    missed = [*(OF_LEDGER if method in NO_LEDGER else ()), *(OF_SET if method in NO_SET else ())]
    return [name for name in POINTS if name not in missed]


@pytest.mark.parametrize(
    ("method", "point"),
    [
        pytest.param(method, *one.values, marks=one.marks)
        for method in METHODS
        for one in some(passed_by(method), ["between rounds 2 and 3"])
    ],
)
def test_every_method_ends_the_same(method, point, tmp_path, monkeypatch, uninterrupted):
    kill_and_resume(tmp_path / "run", monkeypatch, method, POINTS[point])
    assert result(tmp_path / "run") == result(uninterrupted(method))


def test_killed_again_and_again(tmp_path, monkeypatch, uninterrupted):
    folder = tmp_path / "run"
    runs = [lambda: start(settings_of(folder)), *[lambda: resume(folder)] * 5]
    for number, run in enumerate(runs):
        with monkeypatch.context() as patch:
            if number == 2:
                killing(patch, run_dir.RunDir, "append_round", 1, after=True)
            else:
                killing(patch, _blobs, "stage_set", 1 + number % 3, after=bool(number % 2))
            with pytest.raises(Killed):
                run()
    resume(folder)
    assert result(folder) == result(uninterrupted("warm"))


def test_killed_in_the_middle_of_writing_the_checkpoint(tmp_path, monkeypatch, uninterrupted):
    folder, original = tmp_path / "run", files.os.replace
    with monkeypatch.context() as patch:
        patch.setattr(ServerRun, "_finish_run", lambda *_: None)
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # nobody tidies up
        written = []

        def replace(source: Path, target: Path) -> None:
            written.append(target.name)
            if written.count("checkpoint.safetensors") == 3:
                raise Killed
            original(source, target)

        patch.setattr(files.os, "replace", replace)
        with pytest.raises(Killed):
            start(settings_of(folder))
    assert list(folder.glob(".*.tmp"))
    resume(folder)
    assert result(folder) == result(uninterrupted("warm"))
    assert not list(folder.rglob(".*.tmp"))


def test_a_half_written_line_is_repaired(tmp_path, monkeypatch, uninterrupted):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        killing(patch, run_dir.RunDir, "append_round", 2, after=False)
        with pytest.raises(Killed):
            start(settings_of(folder))
    with (folder / "rounds.jsonl").open("a") as file:
        file.write('{"round": 2, "accur')
    resume(folder)
    assert facts(folder) == facts(uninterrupted("warm"))


def test_a_run_that_failed_goes_on_with_others(tmp_path):
    """A quorum that was missed is no end; who was there before starts from where it was."""
    folder = tmp_path / "run"
    silent = dict.fromkeys((2, 3), lambda _message: None)
    settings = settings_of(folder) | {"strategy.deadline": 0.5}
    with pytest.raises(FddError, match="quorum"):
        start(settings, faults=silent)
    assert json.loads((folder / "summary.json").read_text())["status"].startswith("failed")
    start(settings | {"resume": str(folder), "strategy.deadline": 30.0})
    assert json.loads((folder / "summary.json").read_text())["status"] == "completed"
    verdicts = [(e.round, e.client, e.verdict) for e in Ledger(folder / "ledger").entries()]
    assert verdicts == [(r, c, "accepted") for r in (1, 2, 3) for c in ("0", "1", "2")]


def test_totals_and_time_add_up(tmp_path, monkeypatch, uninterrupted):
    kill_and_resume(tmp_path / "run", monkeypatch, "warm", POINTS["between rounds 2 and 3"])
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    whole = json.loads((uninterrupted("warm") / "summary.json").read_text())
    for name in (
        "bytes_up_total",
        "bytes_up_per_client",
        "num_clients",
        "rounds",
        "accuracy",
        "accuracy_per_class",
    ):
        assert summary[name] == whole[name]
    assert summary["seconds_total"] > 0


def test_a_completed_run_is_left_alone(uninterrupted, caplog):
    folder = uninterrupted("warm")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    resume(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert "the run is complete: there is nothing to resume" in caplog.text


@pytest.fixture(scope="module")
def killed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed") / "run"
    with pytest.MonkeyPatch.context() as patch:
        killing(patch, run_dir.RunDir, "append_round", 1, after=True)
        with pytest.raises(Killed):
            start(settings_of(folder))
    return folder


@pytest.fixture
def killed(killed_once: Path, tmp_path: Path) -> Path:
    """Return the folder of a run that was killed after its first round, and moved since."""
    return Path(shutil.copytree(killed_once, tmp_path / "run"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 5),
        ("distiller.ipc", 3),
        ("num-server-rounds", 9),
        ("strategy.name", "fedavg"),
        ("model.name", "mlp"),
        ("data.test-fraction", 0.5),
        ("runtime.server-threads", 2),
    ],
)
def test_a_setting_that_shapes_the_result_is_refused_by_name(killed, name, value):
    before = {path: path.read_bytes() for path in killed.rglob("*") if path.is_file()}
    settings = to_run_config(Config()) | {"resume": str(killed), name: value}
    with pytest.raises(ConfigError, match=rf"{name}: expected .*config\.toml; got {value!r}"):
        start(settings)
    assert {p: p.read_bytes() for p in killed.rglob("*") if p.is_file()} == before


def test_how_long_to_wait_may_change_and_is_written_down(killed, uninterrupted):
    start(to_run_config(Config()) | {"resume": str(killed), "strategy.deadline": 77.0})
    assert "deadline = 77.0" in (killed / "config.toml").read_text()
    assert 'resume = ""' in (killed / "config.toml").read_text()
    assert result(killed) == result(uninterrupted("warm"))


@pytest.mark.parametrize("where", ["relative/run", "/nowhere/at/all"])
def test_a_folder_that_is_none_is_named(where):
    with pytest.raises(ConfigError, match=f"resume: expected the absolute path.*{where}"):
        start(to_run_config(Config()) | {"resume": where})


def test_a_folder_of_an_earlier_version_is_named(killed):
    (killed / "checkpoint.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"expected a checkpoint\.safetensors"):
        resume(killed)


def test_a_checkpoint_holds_the_state_of_a_strategy_and_opens_without(tmp_path):
    path, model = tmp_path / "checkpoint.safetensors", {"head.weight": torch.ones(2, 3)}
    plain = Checkpoint(round=0, nonce="n", model=model)
    path.write_bytes(plain.to_bytes())
    # as it was before strategies had state: the model alone
    assert set(unpack(path)[0]) == set(model)
    assert load_checkpoint(path).state == {}
    state = {"m/head.weight": torch.arange(3.0), "0": torch.tensor(7.0)}
    path.write_bytes(replace(plain, state=state).to_bytes())
    found = load_checkpoint(path)
    assert set(found.model) == set(model)
    assert {name: value.tolist() for name, value in found.state.items()} == {
        "m/head.weight": [0, 1, 2],
        "0": 7,
    }


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_a_damaged_checkpoint_is_named(killed, damage):
    path = killed / "checkpoint.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] if damage == "cut" else whole.replace(b"nonce", b"n0nce"))
    with pytest.raises(DataError, match=r"checkpoint\.safetensors"):
        resume(killed)


def test_a_damaged_set_of_the_last_round_is_named(killed):
    entry = Ledger(killed / "ledger").entries()[1]
    blob = killed / "ledger" / f"{entry.sha256}.safetensors"
    blob.write_bytes(blob.read_bytes()[:-3])
    with pytest.raises(DataError, match=entry.sha256):
        resume(killed)


def test_two_servers_do_not_work_on_one_run(killed, monkeypatch):
    from fdd_flower.run_folder import lock

    monkeypatch.setattr(lock, "WAIT_SECONDS", 0.2)
    with lock.hold(killed), pytest.raises(ConfigError, match="one that is under way"):
        resume(killed)
    resume(killed)


def test_a_liar_cannot_take_a_clients_place_when_the_server_asks(killed, monkeypatch):
    """What is asked at a restart decides about peers only, and never about verdicts."""
    from fdd_flower.distillers.base import Plan
    from fdd_flower.server.client_names import names_of
    from fdd_flower.wire.records import META, plan_record

    plan = Plan(
        round=2,
        seed=1,
        nonce="n" * 16,
        classes=("a", "b"),
        feature_shape=(3,),
        normalisation=json_normalisation(),
    )

    def lie(message: Message) -> Message:
        message.content[META]["nonce"] = "other"  # type: ignore[index]
        return message

    def rubbish(message: Message) -> Message:
        message.content = RecordDict()
        return message

    grid = LocalGrid(client_app.app, 4, {}, faults={2: lie, 3: rubbish, 4: lambda _message: None})
    found = names_of(grid, [1, 2, 3, 4], plan_record(plan), plan=plan, cfg=Config().strategy)
    assert found == {1: "0"}


def json_normalisation() -> Any:
    from fdd_flower.schema import Normalisation

    return Normalisation(mean=(0.0,), std=(1.0,))
