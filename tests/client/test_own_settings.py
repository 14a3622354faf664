"""Clients that are not alike: smaller budgets and networks of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fdd_flower.client.own_settings import check_clients, with_own
from fdd_flower.config import Config, Scalar, from_run_config, to_run_config
from fdd_flower.errors import ConfigError
from fdd_flower.ledger import Ledger
from fdd_flower.synthetic_set import SyntheticSet
from tests.server.test_resume import settings_of, start


def sets(folder: Path) -> dict[str, SyntheticSet]:
    ledger = Ledger(folder / "ledger")
    return {e.client: ledger.load(e.sha256) for e in ledger.entries() if e.verdict == "accepted"}


def run(folder: Path, text: str, **grid: dict) -> dict[str, SyntheticSet]:
    """Run one round under a file of clients, and return what each sent."""
    file = folder.with_suffix(".toml")
    file.write_text(text)
    own: dict[str, Scalar] = {
        "num-server-rounds": 1,
        "distiller.ipc": 3,
        "distiller.steps": 3,
        "runtime.clients-file": str(file) if text else "",
    }
    start(settings_of(folder) | own, **grid)  # type: ignore[arg-type]
    return sets(folder)


def test_a_client_sends_less_and_the_others_the_same(tmp_path: Path) -> None:
    plain = run(tmp_path / "plain", "")
    found = run(tmp_path / "own", "[1]\ndistiller.ipc = 1\n")
    assert torch.equal(found["0"].inputs, plain["0"].inputs)
    assert torch.equal(found["2"].inputs, plain["2"].inputs)
    assert int(plain["1"].labels.bincount().max()) == 3
    assert int(found["1"].labels.bincount().max()) == 1


def test_another_network_makes_another_set(tmp_path: Path) -> None:
    plain = run(tmp_path / "plain", "")
    found = run(tmp_path / "own", '["2"]\ndistiller.pool = "mlp"\ndistiller.width = 8\n')
    assert torch.equal(found["0"].inputs, plain["0"].inputs)
    assert found["2"].inputs.shape == plain["2"].inputs.shape
    assert not torch.equal(found["2"].inputs, plain["2"].inputs)


def test_the_node_config_of_a_client_goes_before_the_file(tmp_path: Path) -> None:
    node = {2: {"partition-id": 1, "num-partitions": 3, "distiller.ipc": 2}}
    found = run(tmp_path / "own", "[1]\ndistiller.ipc = 1\n", node_configs=node)
    assert int(found["1"].labels.bincount().max()) == 2


def config(**settings: Scalar) -> Config:
    named = {key.replace("__", ".").replace("_", "-"): value for key, value in settings.items()}
    return from_run_config(to_run_config(Config()) | named)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[0]\ndistiller.ipc = 11", r"distiller\.ipc of client 0: expected from 1 to 10"),
        ("[0]\ndistiller.bytes = 11", r"distiller\.bytes of client 0: expected none"),
        ("[0]\ndistiller.ipc = 'x'", r"distiller\.ipc: expected an integer"),
        ("[0]\nmodel.name = 'cnn'", r"expected only distiller\.bytes"),
        ("[7]\ndistiller.ipc = 1", "expected tables for clients 0 to 2; got 7"),
        ("a = 1", "a table of settings"),
        ("[a", "readable TOML"),
    ],
)
def test_what_does_not_fit_is_told_before_a_run(tmp_path: Path, text: str, match: str) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=match):
        check_clients(config(runtime__clients_file=str(file)), 3)
    with pytest.raises(ConfigError, match="readable TOML"):
        check_clients(config(runtime__clients_file=str(tmp_path / "none.toml")), 3)


def test_a_real_client_reads_no_file_of_the_server() -> None:
    cfg = config(runtime__clients_file="/nowhere/clients.toml")
    assert with_own(cfg, {"data-path": "/records"}, "clinic") is cfg


def test_what_is_added_must_be_made_alike() -> None:
    """Sums under other networks would pass for sums of the same, and spoil the total."""
    cfg = config(strategy__name="sketch", sketch__kind="means")
    with pytest.raises(ConfigError, match=r"distiller\.pool of client a: expected none .*sketch"):
        with_own(cfg, {"data-path": "/records", "distiller.pool": "mlp"}, "a")
    assert with_own(cfg, {"data-path": "/records"}, "a") is cfg


def test_sums_under_a_private_mode_are_all_made_the_same_way() -> None:
    with pytest.raises(ConfigError, match=r"none with privacy\.mode=dp-moments"):
        with_own(config(privacy__mode="dp-moments"), {"distiller.networks": 3}, "a")
