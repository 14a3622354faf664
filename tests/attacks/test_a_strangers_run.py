"""A run folder from a stranger: it is data. It runs no code, and reaches nothing outside of it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from click.testing import Result
from typer.testing import CliRunner

import fdd_flower
from fdd_flower.cli import app
from fdd_flower.errors import ConfigError, DataError
from fdd_flower.ledger import Ledger
from fdd_flower.run_folder.tensor_file import pack, unpack
from tests.cli.conftest import QUICK

CODE = "open({mark!r}, 'w').close()\ndef Factory(*args, **kwargs): return None\n"


@pytest.fixture(scope="module")
def fdd() -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def done(fdd: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert fdd("run", *QUICK, "--out", folder).exit_code == 0
    return folder


@pytest.fixture
def theirs(done: Path, tmp_path: Path) -> Path:
    """Return a copy of a run, to change as a stranger would."""
    return Path(shutil.copytree(done, tmp_path / "theirs"))


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that the stranger's package `stranger` makes when it is imported."""
    mark, module = tmp_path / "ran", tmp_path / "modules" / "stranger.py"
    module.parent.mkdir()
    module.write_text(CODE.format(mark=str(mark)))
    monkeypatch.syspath_prepend(str(module.parent))
    monkeypatch.delitem(sys.modules, "stranger", raising=False)
    return mark


def set_key(folder: Path, key: str, value: str) -> None:
    for name in ("config.toml", "launch.toml"):
        found = tomllib.loads((folder / name).read_text())
        section, leaf = key.split(".")
        (found["settings"] if name == "launch.toml" else found)[section][leaf] = value
        (folder / name).write_text(tomli_w.dumps(found))


def name_everywhere(folder: Path, name: str) -> None:
    """Put `name` wherever a file of the run names a component."""
    for part in ("strategy", "distiller", "merger", "codec", "model", "data"):
        set_key(folder, f"{part}.name", name)
    set_key(folder, "server.teacher", name)
    set_key(folder, "server.models", name)
    summary = json.loads((folder / "summary.json").read_text())
    for key in ("strategy", "distiller", "merger", "codec", "model", "data"):
        summary[key] = name
    (folder / "summary.json").write_text(json.dumps(summary))
    tensors, facts = unpack(folder / "model.safetensors")
    model = tomllib.loads((folder / "config.toml").read_text())["model"] | {"name": name}
    (folder / "model.safetensors").write_bytes(pack(tensors, facts | {"model": model}))


COMMANDS: dict[str, tuple[Any, ...]] = {
    "show": ("show", "RUN"),
    "ledger": ("ledger", "RUN", "--verify", "--row", "0"),
    "compare": ("compare", "RUN", "DONE", "--out", "OUT.png"),
    "export": ("export", "RUN", "--to", "csv", "--out", "OUT"),
    "predict": ("predict", "RUN", "FILE", "--out", "OUT.csv"),
    "train": ("train", "RUN", "--model", "logistic", "--steps", "1", "--out", "FOLDER"),
    "forget": ("forget", "RUN", "--client", "1", "--out", "OUT"),
    "resume": ("run", "--in-process", "--resume", "RUN"),
}
USES = {"export", "predict", "train", "forget", "resume"}  # what a run names; the others only read


@pytest.fixture
def call(fdd: Any, done: Path, theirs: Path, tmp_path: Path) -> Callable[..., Result]:
    """Return a function that runs a command of `COMMANDS` on the stranger's run."""
    import numpy as np

    (tmp_path / "folder").mkdir()
    np.savez(tmp_path / "new.npz", x=np.zeros((2, 1, 8, 8), np.float32))
    words = {
        "RUN": theirs, "DONE": done, "FILE": tmp_path / "new.npz", "OUT": tmp_path / "out",
        "OUT.png": tmp_path / "out.png", "OUT.csv": tmp_path / "out.csv",
        "FOLDER": tmp_path / "folder",
    }  # fmt: skip

    def run(command: str, *more: str) -> Result:
        if command == "resume" and not (theirs / "summary.json").is_symlink():
            (theirs / "summary.json").unlink(missing_ok=True)
        return fdd(*(words.get(word, word) for word in COMMANDS[command]), *more)

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_imports_what_it_names(call: Any, theirs: Path, ran: Path, command: str) -> None:
    name_everywhere(theirs, "stranger:Factory")
    found = call(command)
    assert not ran.exists()
    assert found.exit_code == (2 if command in USES else 0), found.output
    if command in USES:
        assert "a run that you trust" in found.output
        assert "Traceback" not in found.output


@pytest.mark.parametrize("command", sorted(USES - {"resume"}))
def test_a_run_that_the_user_trusts_is_followed(
    call: Any, theirs: Path, ran: Path, command: str
) -> None:
    name_everywhere(theirs, "stranger:Factory")
    call(command, "--trust")  # what becomes of a factory that makes nothing is another matter
    assert ran.exists()


def test_a_run_that_is_resumed_follows_what_is_named_again(
    call: Any, theirs: Path, ran: Path
) -> None:
    set_key(theirs, "merger.name", "stranger:Factory")
    assert call("resume", "--set", "merger.name=union").exit_code == 2
    assert not ran.exists()
    call("resume", "--set", "merger.name=stranger:Factory")
    assert ran.exists()


def test_python_needs_the_same_word(theirs: Path, ran: Path) -> None:
    name_everywhere(theirs, "stranger:Factory")
    with pytest.raises(ConfigError, match="a run that you trust"):
        _ = fdd_flower.load_run(theirs).model
    assert not ran.exists()
    with pytest.raises(Exception):  # noqa: B017, PT011
        _ = fdd_flower.load_run(theirs, trust=True).model
    assert ran.exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "name",
    ["model.safetensors", "summary.json", "rounds.jsonl", "ledger", "ledger/index.sqlite", "extra"],
)
def test_a_link_is_not_followed(
    call: Any, theirs: Path, tmp_path: Path, command: str, name: str
) -> None:
    outside = tmp_path / "outside"
    if (theirs / name).exists():
        shutil.move(theirs / name, outside)
    else:
        outside.write_text("secret")
    (theirs / name).symlink_to(outside)
    before = state_of(outside)
    found = call(command)
    assert found.exit_code == 2, found.output
    assert "a link" in found.output
    assert state_of(outside) == before
    assert not (tmp_path / "out").exists()


def state_of(path: Path) -> dict[str, bytes]:
    found = [path, *path.rglob("*")] if path.is_dir() else [path]
    return {str(one): one.read_bytes() for one in found if one.is_file()}


def test_a_pipe_is_not_waited_for(call: Any, theirs: Path) -> None:
    (theirs / "model.safetensors").unlink()
    os.mkfifo(theirs / "model.safetensors")
    assert "something else" in call("predict").output


@pytest.mark.parametrize("verdict", ["accepted", "rejected"])
@pytest.mark.parametrize("form", ["relative", "absolute"])
def test_a_hash_that_is_a_path_deletes_nothing(
    call: Any, theirs: Path, tmp_path: Path, verdict: str, form: str
) -> None:
    kept = [tmp_path / "mine.safetensors", tmp_path / "mine.bin"]
    for path in kept:
        path.write_bytes(b"mine")
    up = {"accepted": "../../mine", "rejected": "../../../mine"}[verdict]
    sha = up if form == "relative" else str(tmp_path / "mine")
    with sqlite3.connect(theirs / "ledger" / "index.sqlite") as index:
        index.execute(
            "UPDATE replies SET sha256 = ?, verdict = ? WHERE client = '1'", (sha, verdict)
        )
    index.close()
    with pytest.raises(DataError, match="64 hexadecimal digits"):
        Ledger(theirs / "ledger").forget("1")
    assert call("forget", "--purge").exit_code == 2
    assert call("ledger").exit_code == 2
    assert all(path.read_bytes() == b"mine" for path in kept)


@pytest.mark.parametrize("name", ["summary.json", "schema.json", "rounds.jsonl"])
@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"a":' * 100_000, "null", "[]", "NaN", "\0", '{"classes": 1e999}']
)
def test_nonsense_is_one_line(call: Any, theirs: Path, name: str, content: str) -> None:
    (theirs / name).write_text(content)
    found = call("show")
    assert found.exit_code == 2
    assert len(found.output.splitlines()) == 1


def test_settings_lead_no_file_out_of_the_folder(call: Any, theirs: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    set_key(theirs, "output.dir", str(elsewhere))
    for command in COMMANDS:
        call(command)
    assert not elsewhere.exists()
