"""What a client remembers: where it is kept, for how long, and what happens when it is damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from flwr.app import ArrayRecord, Context, RecordDict

from fdd_flower.client.side import ClientSide
from fdd_flower.client.warm_start import OwnSet
from fdd_flower.config import Config, OutputConfig
from fdd_flower.run_folder.run_dir import RunDir
from fdd_flower.synthetic_set import SyntheticSet
from tests.conftest import blobs, plan_for


def side(round_: int = 1, *, output: Path | str = "", nonce: str = "a" * 16, **node) -> ClientSide:
    """Return a client in a new process: nothing is in Flower's state."""
    data = blobs()
    return ClientSide(
        cfg=replace(Config(), output=OutputConfig(dir=str(output))),
        plan=replace(plan_for(data, round_=round_), nonce=nonce),
        load=lambda: data,
        client="ward/../7",
        context=Context(
            run_id=1,
            node_id=1,
            state=RecordDict(),
            run_config={},
            node_config={key.replace("_", "-"): value for key, value in node.items()},
        ),
        arrays=ArrayRecord(),
    )


def part(value: float) -> SyntheticSet:
    return SyntheticSet(
        inputs=torch.full((3, 1, 8, 8), float(value)), targets=torch.eye(3), weights=torch.ones(3)
    )


def remembered(memory_of: ClientSide) -> float | None:
    found = OwnSet(memory_of).recall(memory_of.plan)
    return None if found is None else float(found.inputs[0, 0, 0, 0])


def test_a_state_dir_outlives_the_process(tmp_path):
    node = {"state_dir": str(tmp_path / "state")}
    assert remembered(side(1, **node)) is None
    OwnSet(side(1, **node)).remember(part(0.1))
    assert remembered(side(2, **node)) == pytest.approx(0.1)
    assert [path.parents[1] for path in tmp_path.rglob("*.safetensors")] == [tmp_path / "state"]


def test_a_round_that_is_asked_again_starts_where_it_started(tmp_path):
    node = {"state_dir": str(tmp_path)}
    for number in (1, 2, 3):
        OwnSet(side(number, **node)).remember(part(number))
    assert remembered(side(3, **node)) == 2
    assert remembered(side(4, **node)) == 3
    OwnSet(side(3, **node)).remember(part(9))
    assert remembered(side(4, **node)) == 9
    # nothing is ever asked of a server before its last two rounds
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2


def test_a_round_it_missed_is_passed_over(tmp_path):
    node = {"state_dir": str(tmp_path)}
    OwnSet(side(1, **node)).remember(part(1))
    assert remembered(side(5, **node)) == 1


def test_other_runs_and_clients_do_not_meet(tmp_path):
    node = {"state_dir": str(tmp_path)}
    OwnSet(side(1, **node)).remember(part(1))
    assert remembered(side(2, nonce="b" * 16, **node)) is None
    other = replace(side(2, **node), client="another")
    assert OwnSet(other).recall(other.plan) is None


def test_a_client_has_a_folder_of_its_own(tmp_path):
    for name in ("a", "b"):
        one = replace(side(1, state_dir=str(tmp_path)), client=name)
        OwnSet(one).remember(part(1))
    assert [len(list(folder.iterdir())) for folder in tmp_path.iterdir()] == [1, 1]


@pytest.mark.parametrize("nonce", ["../../outside", "/etc/x", "a\0b", "*"])
def test_a_nonce_is_no_path(tmp_path, nonce):
    OwnSet(side(1, nonce=nonce, state_dir=str(tmp_path / "state"))).remember(part(1))
    assert len(list((tmp_path / "state").iterdir())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_file_is_said_and_the_client_starts_anew(tmp_path, damage, caplog):
    node = {"state_dir": str(tmp_path)}
    OwnSet(side(1, **node)).remember(part(1))
    (path,) = tmp_path.rglob("*.safetensors")
    content = path.read_bytes()
    path.write_bytes(
        {
            "flip": content[:-3] + bytes([content[-3] ^ 1]) + content[-2:],
            "cut": content[:-5],
            "empty": b"",
        }[damage]
    )
    assert remembered(side(2, **node)) is None
    assert f"starts from scratch: {path} is damaged" in caplog.text


def test_a_folder_that_cannot_be_written_costs_no_round(tmp_path, caplog):
    (tmp_path / "file").touch()
    one = side(1, state_dir=str(tmp_path / "file" / "state"))
    OwnSet(one).remember(part(1))
    assert "cannot write its state" in caplog.text
    # the process goes on, and Flower's own state is there
    later = replace(one, plan=replace(one.plan, round=2))
    assert remembered(later) == 1


def test_in_simulation_the_run_has_a_place_for_it(tmp_path):
    run = RunDir.create(tmp_path / "run")
    run.welcome_clients("a" * 16)
    OwnSet(side(1, output=run.path)).remember(part(1))
    assert remembered(side(2, output=run.path)) == 1
    assert len(list((run.path / "clients").rglob("*.safetensors"))) == 1


def test_a_server_elsewhere_names_no_folder_here(tmp_path):
    """The nonce shows that the server wrote to this very disk; its word alone does not."""
    for name, nonce in (("none", None), ("another", "b" * 16)):
        run = RunDir.create(tmp_path / name)
        if nonce:
            run.welcome_clients(nonce)
        before = sorted(path.name for path in run.path.rglob("*"))
        OwnSet(side(1, output=run.path)).remember(part(1))
        assert sorted(path.name for path in run.path.rglob("*")) == before
        assert remembered(side(2, output=run.path)) is None


def test_a_client_with_records_of_its_own_keeps_them_to_itself(tmp_path):
    run = RunDir.create(tmp_path / "run")
    run.welcome_clients("a" * 16)
    before = sorted(run.path.rglob("*"))
    OwnSet(side(1, output=run.path, data_path="/data")).remember(part(1))
    assert sorted(run.path.rglob("*")) == before
