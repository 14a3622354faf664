"""Each check says what is wrong and what to do; one failure is an exit status of 1."""

from __future__ import annotations

import importlib
import json
import socket

import pytest

from fdd_flower import device
from fdd_flower.launch import doctor, machine


@pytest.fixture
def no_import(monkeypatch):
    """Return a function that makes an import fail with an error."""

    def fail(error: Exception) -> None:
        def refuse(_name: str) -> None:
            raise error

        monkeypatch.setattr(importlib, "import_module", refuse)

    return fail


def test_all_is_well_here(fdd):
    result = fdd("doctor", "--json")
    found = {row["name"]: row for row in json.loads(result.stdout)}
    assert [row for row in found.values() if row["level"] == "fail"] == []
    assert result.exit_code == 0
    assert {"python", "torch", "torchvision", "flwr", "ray", "memory", "loopback"} <= set(found)
    assert all(row["remedy"] for row in found.values() if row["level"] != "ok")


def test_one_failure_is_enough(fdd, monkeypatch):
    def broken() -> doctor.Finding:
        raise ImportError("libcudart")

    def fine() -> doctor.Finding:
        return doctor.Finding("fine", doctor.OK, "yes")

    monkeypatch.setattr(doctor, "CHECKS", (broken, fine))
    result = fdd("doctor")
    assert result.exit_code == 1
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["fail", "ok"]
    assert "libcudart" in result.stdout


def test_a_mismatched_torchvision_is_explained(no_import):
    no_import(RuntimeError("operator torchvision::nms does not exist"))
    found = doctor.torchvision()
    assert found.level == doctor.FAIL
    assert "nms" in found.text
    assert "one index" in found.remedy


@pytest.mark.parametrize(
    ("version", "level"),
    [("1.38.2", "fail"), ("1.39.0", "ok"), ("1.41.3", "ok"), ("1.42.0", "fail"), (None, "fail")],
)
def test_flower_has_to_be_one_that_was_tried(monkeypatch, version, level):
    monkeypatch.setattr(doctor, "_version", lambda _package: version)
    assert doctor.flwr().level == level


@pytest.mark.parametrize(("free", "level"), [(0.5, "fail"), (2.0, "warn"), (8.0, "ok")])
def test_memory(monkeypatch, free, level):
    monkeypatch.setattr(machine, "free_gb", lambda: free)
    assert doctor.memory().level == level


def test_more_threads_than_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    found = doctor.cores()
    assert found.level == doctor.WARN
    assert "OMP_NUM_THREADS" in found.text


def test_absent_data_is_a_warning_and_no_download(monkeypatch, tmp_path):
    from fdd_flower.data.sources import fashion_mnist

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path)
    monkeypatch.setattr(socket.socket, "connect", lambda *_args: pytest.fail("went to the network"))
    found = doctor.fashion_mnist()
    assert found.level == doctor.WARN
    assert "data.path" in found.remedy
    assert list(tmp_path.iterdir()) == []


def test_no_folder_to_write_to(monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("FDD_OUTPUT_DIR", str(file))
    assert doctor.output().level == doctor.FAIL


@pytest.mark.parametrize(
    ("clients", "threads", "cores", "free", "expected"),
    [
        (10, 1, 8, 64.0, (8, 1)),
        (3, 1, 8, 64.0, (3, 1)),
        (10, 1, 8, 2.5, (2, 1)),
        (10, 4, 8, 64.0, (2, 4)),
        (10, 4, 2, 64.0, (1, 2)),
        (10, 1, 8, 0.1, (1, 1)),
    ],
)
def test_no_more_clients_at_once_than_the_machine_holds(
    monkeypatch, clients, threads, cores, free, expected
):
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.setattr(machine, "free_gb", lambda: free)
    assert machine.clients_at_once(clients, threads) == expected


@pytest.mark.parametrize(
    ("at_once", "gpus", "share"),
    [(4, 0, "0.0"), (1, 1, "1.0"), (3, 1, "0.3333"), (3, 2, "0.5"), (2, 4, "1.0")],
)
def test_the_clients_of_a_simulation_share_the_gpus(monkeypatch, at_once, gpus, share):
    monkeypatch.setattr(machine, "clients_at_once", lambda *_: (at_once, 1))
    config = dict(word.split("=") for word in machine.federation_config(10, 1, gpus=gpus).split())
    assert config["client-resources-num-gpus"] == share
    # Ray starts as many as fit, and all that are to run at once do
    assert float(share) * -(-at_once // max(1, gpus)) <= 1


def test_the_device_that_auto_takes_is_told(monkeypatch):
    monkeypatch.setattr(device, "available", lambda: ("cpu",))
    assert doctor.device().text == "auto chooses cpu"
    monkeypatch.setattr(device, "available", lambda: ("cpu", "cuda"))
    assert doctor.device().text == "auto chooses cuda; runtime.device may name cpu too"


def test_a_containers_limit_counts(monkeypatch, tmp_path):
    (tmp_path / "memory.max").write_text("3000000000\n")
    (tmp_path / "memory.current").write_text("2000000000\n")
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    assert machine.free_gb() <= 1.0
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.free_gb() > 0
