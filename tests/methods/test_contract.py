"""What every registered strategy keeps to, whoever wrote it."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from flwr.app import Message, RecordDict

from fdd_flower.config import Config, ModelConfig, Scalar, StrategyConfig, to_run_config
from fdd_flower.errors import ConfigError, DataError
from fdd_flower.ledger import Ledger
from fdd_flower.methods.base import COMMON, STRATEGIES, Method
from fdd_flower.models.base import Network
from fdd_flower.models.logistic import Logistic
from fdd_flower.run_folder import run_dir
from fdd_flower.run_folder.load import load_run
from fdd_flower.server.checks import check_components
from fdd_flower.server.forget import forget, scope_of
from fdd_flower.server.resumed_strategy import Stateful
from fdd_flower.wire.records import META
from tests.attacks import scene
from tests.methods.test_end_to_end import summary
from tests.server.test_resume import Killed, killing, result, resume, start

ALL = STRATEGIES.built_in()
QUICK: dict[str, Scalar] = {
    "num-server-rounds": 2, "model.name": "logistic", "training.steps": 5, "training.teacher": 0.0,
    "distiller.name": "kmeans", "distiller.ipc": 1, "strategy.deadline": 60.0,
}  # fmt: skip
# A method that takes more replies than there are clients here by default; methods with a distiller.
DM: dict[str, Scalar] = {
    "distiller.name": "dm",
    "distiller.steps": 1,
    "distiller.networks": 1,
    "distiller.sample": 20,
}
OWN: dict[str, dict[str, Scalar]] = {
    "bulyan": {"strategy.num-malicious": 0, "strategy.quorum": 3},
    "dynafed": {"dynafed.rounds": 1},
    "fedaf": DM,
    "fedlgd": DM,
    "sketch": {"distiller.name": "dm", "distiller.steps": 2, "sketch.width": 4},
}


@pytest.fixture(scope="module", autouse=True)
def _no_collection() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        # Flower's Bulyan collects garbage at every reply: seconds, among the objects of all tests
        patch.setattr(gc, "collect", lambda: 0)
        yield


def settings(folder: Path, strategy: str, **more: Scalar) -> dict[str, Scalar]:
    own = {"strategy.name": strategy, "output.dir": str(folder), **OWN.get(strategy, {})}
    changed = {key.replace("__", ".").replace("_", "-"): value for key, value in more.items()}
    return to_run_config(Config()) | QUICK | own | changed


def batch_normed(cfg: ModelConfig, feature_shape: tuple[int, ...], num_classes: int) -> Network:
    """Return a model that keeps statistics of what it has seen, and counts."""
    model = Logistic(cfg, feature_shape, num_classes)
    model.head = torch.nn.Sequential(torch.nn.BatchNorm1d(64), model.head)  # pyright: ignore
    return model


def replies(folder: Path) -> list[tuple[int, int]]:
    rows = [json.loads(line) for line in (folder / "rounds.jsonl").read_text().splitlines()]
    return [(row["replies"], row["rejected"]) for row in rows]


@pytest.mark.parametrize("strategy", ALL)
def test_a_client_may_join_late_and_another_leave(strategy, tmp_path):
    """Client 3 comes in round 2, when client 1 has gone."""
    gone = {4}

    def last_of_the_round(message: Message) -> Message:
        if message.content[META]["round"] == 1:  # type: ignore[index, call-overload]
            gone.clear()
            gone.add(2)
        return message

    start(
        settings(tmp_path / "run", strategy), clients=4, faults={3: last_of_the_round}, absent=gone
    )
    found = summary(tmp_path / "run")
    assert (found["status"], found["strategy"], found["num_clients"]) == ("completed", strategy, 4)
    assert replies(tmp_path / "run") == [(3, 0), (3, 0)]


NEW_IDS = (907, 23, 511, 40)


@pytest.mark.parametrize("strategy", ALL)
def test_killed_after_round_1_it_ends_the_same(strategy, tmp_path, monkeypatch):
    """Though only half of the clients are asked, and all have new node ids."""
    whole, folder = tmp_path / "whole", tmp_path / "run"
    start(settings(whole, strategy, strategy__fraction=0.5), clients=4)
    with monkeypatch.context() as patch:
        killing(patch, run_dir.RunDir, "append_round", 1, after=True)
        with pytest.raises(Killed):
            start(settings(folder, strategy, strategy__fraction=0.5), clients=4)
    resume(folder, clients=4, node_ids=NEW_IDS)
    asked = 3 if strategy == "bulyan" else 2
    assert replies(folder) == replies(whole) == [(asked, 0)] * 2
    assert result(folder) == result(whole)


@pytest.mark.parametrize("strategy", ALL)
def test_a_client_is_forgotten_without_a_trace_or_it_is_said_what_to_do(strategy, tmp_path):
    def silent(message: Message) -> Message:
        message.content = RecordDict()
        return message

    whole, new = tmp_path / "whole", tmp_path / "new"
    start(settings(whole, strategy), clients=4)
    found, entries = load_run(whole), Ledger(whole / "ledger").entries()
    if not entries:  # its replies are not kept
        with pytest.raises(DataError) as refused:
            scope_of(found, entries, "2")
        assert "run again without" in refused.value.remedy
        return
    scope = scope_of(found, entries, "2")
    assert scope.rounds == (1 if STRATEGIES.get(strategy).conditions else 2)
    never = settings(tmp_path / "never", strategy, num_server_rounds=scope.rounds)
    start(never, clients=4, faults={3: silent})
    forget(found, "2", scope, new)
    assert result(new) == result(tmp_path / "never")
    assert "2" not in {entry.client for entry in Ledger(new / "ledger").entries()}


def test_what_a_method_does_not_say_of_itself_is_taken_for_dependent():
    bare = Method(server=lambda side: ..., client=lambda side: ..., distils=True)  # type: ignore[arg-type, return-value]
    assert bare.conditions


def server(strategy: str) -> scene.Server:
    cfg = scene.config(strategy=strategy)
    if strategy == "bulyan":
        cfg = replace(cfg, strategy=replace(cfg.strategy, num_malicious=0))
    if strategy == "sketch":
        cfg = replace(cfg, sketch=replace(cfg.sketch, width=4))
    return scene.Server(cfg)


def honest(of: scene.Server, client: str, round_: int = 1) -> RecordDict:
    if of.cfg.strategy.name == "sketch":
        return scene.honest_sketch(client, of.cfg, round_)
    if STRATEGIES.get(of.cfg.strategy.name).distils:
        return scene.honest_set(client, of.cfg, round_)
    return scene.honest_parameters(client, of.side)


def outcome(of: scene.Server, answers: list[Message]) -> tuple[Any, ...]:
    found = of.round(answers)
    state = of.strategy.state() if isinstance(of.strategy, Stateful) else {}
    return found.hash, {name: tensor.tolist() for name, tensor in state.items()}


def answers_of(of: scene.Server) -> list[Message]:
    return [scene.message(honest(of, key), scene.node_of(key)) for key in scene.HONEST]


@pytest.mark.parametrize("strategy", ALL)
def test_a_bad_reply_in_any_place_is_as_none(strategy):
    of = server(strategy)
    expected = outcome(of, answers_of(of))
    bad = honest(of, scene.LIAR)
    record = scene.record(bad)
    name = max(name for name, array in record.items() if "float" in array.dtype)
    record[name] = scene.Array(record[name].numpy() * float("nan"))
    for position in scene.POSITIONS.values():
        of = server(strategy)
        answers = answers_of(of)
        answers.insert(position, scene.message(bad, scene.node_of(scene.LIAR)))
        assert outcome(of, answers) == expected
        (refused,) = [verdict for verdict in of.side.tally.verdicts if not verdict.accepted]
        assert (refused.client, refused.code) == (scene.LIAR, "not-finite")


@pytest.mark.parametrize("strategy", ALL)
def test_the_order_of_arrival_changes_nothing(strategy):
    of = server(strategy)
    expected = outcome(of, answers_of(of))
    for order in ((2, 1, 0), (1, 2, 0)):
        of = server(strategy)
        answers = answers_of(of)
        assert outcome(of, [answers[place] for place in order]) == expected


@pytest.mark.parametrize("strategy", [name for name in ALL if name != "fdd"])
def test_nor_does_the_order_of_the_arrays_of_a_reply(strategy):
    of = server(strategy)
    expected = outcome(of, answers_of(of))
    of = server(strategy)
    answers = answers_of(of)
    record = scene.record(answers[0].content)
    for name in sorted(record, reverse=True):
        record[name] = record.pop(name)
    assert outcome(of, answers) == expected


@pytest.mark.parametrize("strategy", ALL)
def test_a_setting_that_it_does_not_use_is_refused_by_name(strategy):
    uses = STRATEGIES.get(strategy).uses
    assert uses is not None
    for field in fields(StrategyConfig):
        if field.name in COMMON:
            continue
        choices = field.metadata["choices"]
        changed: dict[str, Any] = {field.name: choices[-1] if choices else field.metadata["high"]}
        if field.name in uses and field.name.startswith("pool_"):
            changed["pool"] = "all"
        if field.name in uses and field.name in ("finish_rounds", "finish_step"):
            changed["finish"] = "fine-tune"
        cfg = replace(Config(), strategy=StrategyConfig(name=strategy, quorum=100_000, **changed))
        if field.name in uses:
            check_components(cfg)
            continue
        name = field.name.replace("_", "-")
        with pytest.raises(ConfigError, match=rf"strategy\.{name}: .*strategy\.name={strategy}"):
            check_components(cfg)


def test_what_was_asked_for_must_be_enough_for_the_method():
    cfg = replace(Config(), strategy=StrategyConfig(name="bulyan", quorum=6))
    with pytest.raises(ConfigError, match=r"strategy\.quorum: expected at least 7 .*num-malicious"):
        check_components(cfg)


@pytest.mark.parametrize("strategy", ["fedavg", "scaffold", "fednova"])
def test_running_statistics_are_averaged_and_stop_no_run(strategy, tmp_path):
    """Counters are integers: as means, which are floats, no client's reply would be like them."""
    start(
        settings(
            tmp_path / "run",
            strategy,
            model__name=f"{__name__}:batch_normed",
        ),
        clients=2,
    )
    assert replies(tmp_path / "run") == [(2, 0), (2, 0)]
