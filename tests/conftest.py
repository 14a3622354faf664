"""What every test needs: one thread, no stray output folders, small data and small settings."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fdd_flower.data.base import Split
from fdd_flower.distillers.base import Plan
from fdd_flower.methods import _trajectory, _virtual_data
from fdd_flower.report.html import write_report
from fdd_flower.run_folder.run_dir import SYNTHETIC
from fdd_flower.schema import Normalisation
from fdd_flower.server import grid, server_run


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    # On busy cores an unset thread count costs a hundredfold.
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDD_OUTPUT_DIR", str(tmp_path / "run"))


def _blank_report(folder: Path) -> None:
    names = ["report.html", "curves.png", "metrics.png"] + ["synthetic.png"] * (
        folder / SYNTHETIC
    ).exists()
    for name in names:
        (folder / name).touch()


@pytest.fixture(scope="session", autouse=True)
def _no_pictures() -> Iterator[None]:
    """Leave a run's pictures blank: to draw them takes as long as all else in a small run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server_run, "write_report", _blank_report)
        yield


class Clock:
    """Time that passes while the server waits for replies, and at no other moment."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Return the seconds that were waited."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Wait, in no time."""
        self.now += 100 * seconds


@pytest.fixture(scope="session", autouse=True)
def _no_waiting() -> Iterator[None]:
    """Let nothing wait: replies of `LocalGrid` come when they are asked for, or never.

    How busy the machine is then decides about no deadline. The disk is not waited for either.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "time", Clock())
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """Take Ctrl-C as Python does: a shell starts what is in the background without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _one_flower_at_a_time(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Keep tests that start Flower's processes apart, in whichever worker they are."""
    if not request.node.get_closest_marker("flower"):
        yield
        return
    import fcntl

    with (tmp_path_factory.getbasetemp().parent / "flower.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session", autouse=True)
def _few_steps() -> Iterator[None]:
    """Let servers take a few steps where a method takes hundreds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_trajectory, "STEPS", 2)
        patch.setattr(_virtual_data, "STEPS", 5)
        yield


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the pictures and write the report of a test's runs."""
    monkeypatch.setattr(server_run, "write_report", write_report)


def blobs(
    *, shape: tuple[int, ...] = (1, 8, 8), counts: tuple[int, ...] = (60, 40, 3), seed: int = 0
) -> Split:
    """Return normalised records, each class round a mean of its own."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.full((n,), c) for c, n in enumerate(counts)])
    means = 1.5 * torch.randn(len(counts), *shape, generator=rng)
    inputs = means[labels] + 0.5 * torch.randn(len(labels), *shape, generator=rng)
    return Split(inputs=inputs, labels=labels, classes=tuple("abcdefghij"[: len(counts)]))


def plan_for(data: Split, *, round_: int = 1) -> Plan:
    """Return a plan that fits `data`."""
    channels = data.feature_shape[0]
    return Plan(
        round=round_,
        seed=7,
        nonce="0123456789abcdef",
        classes=data.classes,
        feature_shape=data.feature_shape,
        normalisation=Normalisation(mean=(0.0,) * channels, std=(1.0,) * channels),
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The longest first: a worker that began one last would keep the others waiting.
    items.sort(key=lambda item: item.get_closest_marker("flower") is None)
