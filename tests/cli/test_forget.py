"""`fdd forget`: what it says, what it leaves, and what --purge takes."""

from __future__ import annotations

import json
import shutil

import pytest

from fdd_flower.ledger import Ledger
from tests.cli.conftest import QUICK


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Return the folder of a run of three clients."""
    from typer.testing import CliRunner

    from fdd_flower.cli import app

    folder = tmp_path_factory.mktemp("runs") / "run"
    assert CliRunner().invoke(app, ["run", *QUICK, "--out", str(folder)]).exit_code == 0
    return folder


def test_it_says_which_case_it_was_and_where_the_result_is(done, fdd, tmp_path):
    before = {path: path.read_bytes() for path in done.rglob("*") if path.is_file()}
    result = fdd("forget", done, "--client", "1", "--out", tmp_path / "new")
    assert result.exit_code == 0, result.output
    assert "exact: nothing depended on it" in result.stdout
    assert "--purge deletes it" in result.stdout
    assert f"{done}/synthetic.safetensors" in result.stdout
    assert result.stdout.splitlines()[-1] == f"pictures and report: {tmp_path / 'new'}"
    assert fdd("show", tmp_path / "new").exit_code == 0
    assert (tmp_path / "new" / "report.html").exists()
    assert {path: path.read_bytes() for path in done.rglob("*") if path.is_file()} == before


def test_purge_takes_the_sets_from_the_old_folder_too(done, fdd, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(done, old)
    result = fdd("forget", old, "--client", "1", "--out", tmp_path / "new", "--purge", "--json")
    found = json.loads(result.stdout)
    assert found["forgotten"] == {
        "client": "1", "replayed": 1, "of": 1, "why": "exact: nothing depended on it", "purged": 1,
        "still-made-with-it": [str(old / name) for name in (
            "synthetic.safetensors", "model.safetensors", "synthetic.png", "report.html")],
    }  # fmt: skip
    assert found["summary"]["num_clients"] == 2
    entries = Ledger(old / "ledger").entries()
    assert [entry.verdict for entry in entries] == ["accepted", "forgotten", "accepted"]
    assert not (old / "ledger" / f"{entries[1].sha256}.safetensors").exists()
    assert fdd("ledger", old, "--verify").exit_code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--client", "9"), "client '9': expected one of 0, 1, 2"),
        (("--client", "1", "--out", "."), "output.dir"),
    ],
)
def test_mistakes_are_one_line(done, fdd, tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(done)
    result = fdd("forget", done, "--out", tmp_path / "new", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {says}")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "new").exists()
