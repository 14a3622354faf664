"""`fdd forget`: what it says, what it leaves, and what --purge takes."""

from __future__ import annotations

import json
import shutil

import pytest

from fdd_flower.launch.begun import read_begun
from fdd_flower.ledger import Ledger
from tests.cli.conftest import QUICK
from tests.server.test_forget import run as run_with
from tests.server.test_forget import without
from tests.server.test_resume import result as result_of


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
        "client": "1",
        "replayed": 1,
        "of": 1,
        "why": "exact: nothing depended on it",
        "purged": 1,
        "still-made-with-it": [
            str(old / name)
            for name in (
                "synthetic.safetensors",
                "model.safetensors",
                "synthetic.png",
                "report.html",
            )
        ],
    }
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


@pytest.fixture(scope="module")
def conditioned(tmp_path_factory):
    """Return the folder of a run of four clients that stand beside each other's rows."""
    from typer.testing import CliRunner

    from fdd_flower.cli import app
    from tests.server.test_resume import METHODS, SETTINGS

    folder = tmp_path_factory.mktemp("runs") / "run"
    words = ["run", "--in-process", "--clients", "4", "--out", str(folder)]
    for key, value in (SETTINGS | METHODS["peers"]).items():
        if key != "output.dir":
            words += ["--set", f"{key}={str(value).lower()}"]
    assert CliRunner().invoke(app, words).exit_code == 0
    return folder


def test_simulated_clients_make_anew_what_was_conditioned_on_it(conditioned, fdd, tmp_path):
    never = run_with(tmp_path / "never", "peers", faults=without("2"))
    done = fdd("forget", conditioned, "--client", "2", "--out", tmp_path / "new")
    assert done.exit_code == 0, done.output
    assert "conditioned on its set (distiller.peers): the simulated clients" in done.stdout
    assert "exact: the simulated clients made 3 rounds again" in done.stdout
    assert result_of(tmp_path / "new") == result_of(never) != result_of(conditioned)
    assert {entry.client for entry in Ledger(tmp_path / "new" / "ledger").entries()} == set("013")


def test_what_is_left_is_a_run_without_it(done, fdd, tmp_path):
    assert fdd("forget", done, "--client", "1", "--out", tmp_path / "new").exit_code == 0
    words = (*QUICK, "--in-process", "--without", "1", "--out", tmp_path / "never")
    never = fdd("run", *words)
    assert never.exit_code == 0, never.output
    assert result_of(tmp_path / "new") == result_of(tmp_path / "never")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--in-process", "--without", "3"), "keys from 0 to 2, each once and not all; got 3"),
        (("--in-process", "--without", "1", "--without", "1"), "got 1, 1"),
        (("--in-process", "--without", "0", "--without", "1", "--without", "2"), "not all"),
        (("--without", "1"), "expected --in-process with it"),
        (("--in-process", "--without", "1", "--set", "strategy.quorum=3"), "less 1 that never"),
    ],
)
def test_who_cannot_be_left_out_is_told_before_a_run(fdd, tmp_path, words, says):
    refused = fdd(
        "run", *(w for w in QUICK if w != "--in-process"), *words, "--out", tmp_path / "a"
    )
    assert refused.exit_code == 2
    assert says in refused.stderr
    assert not (tmp_path / "a").exists()


def test_a_run_is_resumed_with_the_clients_it_began_with(done, fdd, tmp_path):
    shutil.copytree(done, tmp_path / "killed")
    (tmp_path / "killed" / "summary.json").unlink()
    refused = fdd("run", "--in-process", "--resume", tmp_path / "killed", "--without", "1")
    assert refused.exit_code == 2
    assert "--without: expected not together with --resume; got 1" in refused.stderr


def test_a_second_client_is_forgotten_beside_the_first(conditioned, fdd, tmp_path):
    never = run_with(tmp_path / "never", "peers", faults=without("2") | without("0"))
    assert fdd("forget", conditioned, "--client", "2", "--out", tmp_path / "a").exit_code == 0
    assert fdd("forget", tmp_path / "a", "--client", "0", "--out", tmp_path / "b").exit_code == 0
    assert result_of(tmp_path / "b") == result_of(never)
    begun = read_begun(tmp_path / "b")
    assert begun is not None
    assert begun.absent == ("2", "0")


def test_what_is_stopped_half_way_can_be_resumed(conditioned, fdd, tmp_path, monkeypatch):
    from fdd_flower.server import server_run

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(server_run.RunDir, "append_round", full)
        failed = fdd("forget", conditioned, "--client", "1", "--out", tmp_path / "new")
    assert failed.exit_code == 1
    assert f"to resume: fdd run --in-process --resume {tmp_path / 'new'}" in failed.stderr
    refused = fdd("run", "--resume", tmp_path / "new")
    assert refused.exit_code == 1
    assert "expected --in-process" in refused.stderr
    assert fdd("run", "--in-process", "--resume", tmp_path / "new").exit_code == 0
    never = run_with(tmp_path / "never", "peers", faults=without("1"))
    assert result_of(tmp_path / "new") == result_of(never)


def test_sets_that_this_machine_does_not_make_are_told(conditioned, fdd, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(conditioned, old)
    text = (old / "launch.toml").read_text()
    assert "seed = 0" in text
    (old / "launch.toml").write_text(text.replace("seed = 0", "seed = 1"))
    done = fdd("forget", old, "--client", "2", "--out", tmp_path / "new", "--json")
    assert done.exit_code == 0, done.output
    forgotten = json.loads(done.stdout)["forgotten"]
    assert "in round 1 their sets are not those of" in forgotten["why"]
    assert not forgotten["why"].startswith("exact")


def test_a_deployment_leaves_out_what_only_its_clients_can_make(conditioned, fdd, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(conditioned, old)
    (old / "launch.toml").unlink()
    done = fdd("forget", old, "--client", "2", "--out", tmp_path / "new")
    assert "left out, as only the clients can make them" in done.stdout
    assert len((tmp_path / "new" / "rounds.jsonl").read_text().splitlines()) == 1
