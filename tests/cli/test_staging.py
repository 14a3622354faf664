"""What Flower's processes get: a copy of this package, all settings, a quiet environment."""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

import fdd_flower
from fdd_flower.config import Config, flatten, from_run_config, to_run_config
from fdd_flower.errors import LaunchError
from fdd_flower.launch.flower import entry_points, environment
from fdd_flower.launch.flower.entry_points import entry_file, load_entry
from fdd_flower.launch.flower.environment import TOKEN, child_environment, program
from fdd_flower.launch.flower.staging import (
    LONGEST,
    Stage,
    fill_stage,
    make_stage,
    write_connection,
)


@pytest.fixture
def stage():
    made = make_stage()
    yield made
    made.remove()
    assert not made.path.exists()


def test_the_app_is_this_package_and_nothing_stale(stage):
    fill_stage(stage, Config())
    package = Path(fdd_flower.__file__).parent
    copied = {path.relative_to(stage.app / "fdd_flower") for path in stage.app.rglob("*/*.py")}
    assert copied == {path.relative_to(package) for path in package.rglob("*.py")}
    assert not list(stage.app.rglob("__pycache__"))
    for name in ("client_app.py", "server_app.py"):
        assert (stage.app / name).read_bytes() == entry_file(name).read_bytes()


def test_the_app_declares_every_setting(stage):
    fill_stage(stage, Config())
    project = tomllib.loads((stage.app / "pyproject.toml").read_text())
    app = project["tool"]["flwr"]["app"]
    assert flatten(app["config"]) == to_run_config(Config())
    assert project["project"]["version"] == fdd_flower.__version__
    assert project["project"]["dependencies"] == []
    # a federation in pyproject.toml would make `flwr run` rewrite it
    assert "federations" not in project["tool"]["flwr"]


def test_the_settings_arrive_as_they_were(stage):
    cfg = from_run_config({"data.label": 'a "quoted" \\ name', "seed": 3, "local.momentum": 0.0})
    fill_stage(stage, cfg)
    assert from_run_config(flatten(tomllib.loads(stage.run_config.read_text()))) == cfg


def test_the_connection_is_read_by_flower(stage, monkeypatch):
    from flwr.cli.flower_config import read_superlink_connection

    fill_stage(stage, Config())
    write_connection(stage, 4242)
    monkeypatch.setenv("FLWR_HOME", str(stage.flwr_home))
    found = read_superlink_connection(None)
    assert (found.name, found.address) == ("fdd", "127.0.0.1:4242")


def test_a_long_temporary_folder_is_left_for_a_short_one(tmp_path, monkeypatch):
    deep = tmp_path / ("x" * 60)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    made = make_stage()
    try:
        assert len(str(made.path)) <= LONGEST
        assert list(deep.iterdir()) == []
    finally:
        made.remove()


def test_the_environment_is_private_and_reaches_the_loopback(tmp_path):
    base = {
        "PATH": "/usr/bin",
        "FLWR_INTERNAL_GRPC_CONTROL_API": "1",
        "RAY_ADDRESS": "10.0.0.1:6379",
        "no_proxy": "example.org",
        "PYTHONPATH": f"relative{os.pathsep}/absolute",
    }
    stage = Stage(tmp_path)
    env = child_environment(stage, Config(), "token", base)
    assert env[TOKEN] == "token"
    assert env["FLWR_HOME"].startswith(str(tmp_path))
    assert env["RAY_TMPDIR"].startswith(str(tmp_path))
    assert env["RAY_ADDRESS"] == "local"
    assert "FLWR_INTERNAL_GRPC_CONTROL_API" not in env
    assert env["no_proxy"] == "example.org,127.0.0.1,localhost"
    assert env["PYTHONPATH"].split(os.pathsep) == [os.path.abspath("relative"), "/absolute"]
    assert env["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert TOKEN not in os.environ


def test_flowers_programs_are_found_without_an_active_environment(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert Path(program("flwr")).is_file()
    monkeypatch.setattr(environment, "search_path", lambda: "/nowhere")
    with pytest.raises(LaunchError, match="flwr-simulation"):
        program("flwr-simulation")


def test_the_entry_files_are_those_beside_the_package(tmp_path, monkeypatch):
    (tmp_path / "client_app.py").write_text("app = 'of another project'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert entry_file("client_app.py").parent == Path(fdd_flower.__file__).parent.parent
    assert type(load_entry("client_app.py").app).__name__ == "ClientApp"


def test_a_package_without_its_entry_files_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(entry_points, "ENTRY_FOLDER", tmp_path)
    with pytest.raises(LaunchError, match=r"client_app\.py"):
        entry_file("client_app.py")
