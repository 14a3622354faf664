"""A disk that fills at any write, and signals at random moments: what was kept is whole."""

from __future__ import annotations

import errno
import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fdd_flower.errors import FddError
from fdd_flower.launch.signals import Stopped, stop_on_signals
from fdd_flower.ledger import Ledger
from fdd_flower.ledger.verify import verify
from fdd_flower.run_folder import files
from tests.server.test_resume import facts, result, resume, settings_of, start


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    start(settings_of(folder))
    return folder


def take_up(folder: Path) -> None:
    """Resume a run, or begin it where it was stopped before it had a folder."""
    if (folder / "config.toml").exists():
        resume(folder)
    else:
        start(settings_of(folder))


def assert_as(folder: Path, whole: Path) -> None:
    assert result(folder) == result(whole)
    assert facts(folder) == facts(whole)
    ledger = Ledger(folder / "ledger")
    assert list(verify(ledger, ledger.entries())) == []
    assert not list(folder.rglob("*.tmp"))


@contextmanager
def disk_that_takes(writes: int) -> Iterator[None]:
    """Let the disk be full after so many files or lines, with half of the next one on it."""
    left = [writes]

    def full(write: object) -> object:
        def instead(path: Path, content: bytes | str, *rest: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                if write is append:
                    with path.open("ab") as file:
                        file.write(str(content).encode()[: len(content) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(path, content, *rest)  # type: ignore[operator]

        return instead

    append = files.append_line
    from fdd_flower.ledger import _blobs
    from fdd_flower.run_folder import run_dir

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "write_part", part := full(files.write_part))
        patch.setattr(_blobs, "write_part", part)
        patch.setattr(run_dir, "append_line", full(append))
        yield


@pytest.mark.parametrize("writes", [0, 1, 3, 6, 9, 12, 16])
def test_a_disk_that_fills_is_named_and_the_run_resumes(
    tmp_path: Path, whole: Path, writes: int, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    with disk_that_takes(writes), pytest.raises(FddError, match="No space left"):
        start(settings_of(folder))
    assert "No space left" in caplog.text
    take_up(folder)
    assert_as(folder, whole)


@pytest.mark.parametrize("seed", range(6))
def test_signals_at_random_moments(tmp_path: Path, whole: Path, seed: int) -> None:
    folder, rng = tmp_path / "run", random.Random(seed)
    for _ in range(3):
        number = rng.choice([signal.SIGTERM, signal.SIGINT])
        timer = threading.Timer(rng.uniform(0, 0.6), os.kill, (os.getpid(), number))
        with suppress(Stopped), stop_on_signals():
            timer.start()
            try:
                take_up(folder)
            finally:
                timer.cancel()
                timer.join()  # a late signal must not meet the tests themselves
    take_up(folder)
    assert_as(folder, whole)
