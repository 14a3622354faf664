"""A SuperLink that does not come up is one line, and leaves nothing."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from fdd_flower.errors import LaunchError
from fdd_flower.launch.flower import entry_points, environment, simulate, superlink
from fdd_flower.launch.flower.submit import Status


def test_a_free_port_is_free():
    with socket.socket() as probe:
        probe.bind((superlink.HOST, superlink.free_port()))


def test_no_port_is_one_line(monkeypatch):
    def nothing(*_args):
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(superlink.socket.socket, "bind", nothing)
    with pytest.raises(LaunchError, match="Address already in use"):
        superlink.free_port()


def test_a_port_that_another_listens_on_is_not_mistaken_for_ours():
    with socket.create_server((superlink.HOST, 0)) as other:
        port = other.getsockname()[1]
        assert superlink._listens(superlink.psutil.Process().pid, port)
        assert not superlink._listens(1, port)
    assert not superlink._healthy(port)


@pytest.mark.parametrize(
    ("code", "says"),
    [("raise SystemExit(3)", "exit status 3"), ("import time; time.sleep(60)", "within")],
)
def test_a_superlink_that_does_not_come_up(fdd, tmp_path, monkeypatch, code, says):
    fake = tmp_path / "flower-superlink"
    fake.write_text(f"#!{sys.executable}\nprint('what it said', flush=True)\n{code}\n")
    fake.chmod(0o700)
    stages = []
    make = simulate.make_stage

    def remember():
        stages.append(make())
        return stages[-1]

    monkeypatch.setattr(simulate, "make_stage", remember)
    monkeypatch.setattr(superlink, "program", lambda _name: str(fake))
    monkeypatch.setattr(superlink, "START_SECONDS", 1.0)
    monkeypatch.setattr(superlink, "ATTEMPTS", 2)
    folder = tmp_path / "out"
    folder.mkdir()
    result = fdd("run", "--clients", "2", "--out", folder)
    assert result.exit_code == 1
    error, log = result.stderr.splitlines()
    assert error.startswith("error: flower-superlink")
    assert says in error
    assert log == f"log: {folder / 'flower.log'}"
    assert "what it said" in (folder / "flower.log").read_text()
    assert not stages[0].path.exists()


def test_a_flower_that_is_not_installed(fdd, tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "search_path", lambda *_args: str(tmp_path))
    result = fdd("run", "--clients", "2", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: flower-superlink")
    log = Path(result.stderr.splitlines()[1].removeprefix("log: "))
    assert log.read_text() == ""
    log.unlink()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("way", [(), ("--in-process",)], ids=["flower", "in-process"])
def test_a_package_that_is_not_whole(fdd, tmp_path, monkeypatch, way):
    monkeypatch.setattr(entry_points, "ENTRY_FOLDER", tmp_path)
    result = fdd("run", "--clients", "2", "--out", tmp_path / "out", *way)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: client_app.py")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("status", "recorded", "reason"),
    [
        (Status("finished:completed", ""), "completed", ""),
        (Status("finished:failed", "no heartbeat"), "completed", "no heartbeat"),
        (Status("finished:completed", ""), "failed: quorum", "quorum"),
        (Status("finished:completed", ""), None, "finished:completed"),
        (Status("unknown", "silence"), None, "silence"),
    ],
)
def test_a_run_completed_only_if_flower_and_the_run_agree(
    tmp_path, monkeypatch, status, recorded, reason
):
    class Flwr:
        def status(self, run_id: int) -> Status:
            return status

    monkeypatch.setattr(simulate, "recorded_status", lambda _folder: recorded)
    found = simulate._why_not(Flwr(), 1, tmp_path)  # pyright: ignore[reportArgumentType]
    assert (reason in found) if reason else found == ""


def test_a_run_that_never_started_is_told(tmp_path):
    assert "did not start" in simulate._why_not(None, None, tmp_path)  # pyright: ignore[reportArgumentType]
