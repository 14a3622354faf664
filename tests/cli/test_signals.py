"""A request to stop comes once, as an exception with a shell's exit status."""

from __future__ import annotations

import signal

import pytest

from fdd_flower.launch.signals import Stopped, stop_on_signals


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_once(number, status):
    before = signal.getsignal(number)
    cleaned = []

    def work() -> None:
        with stop_on_signals():
            try:
                signal.raise_signal(number)
            finally:
                signal.raise_signal(number)  # an impatient second one
                cleaned.append(True)

    with pytest.raises(Stopped) as stopped:
        work()
    assert cleaned == [True]
    assert stopped.value.exit_status == status
    assert signal.getsignal(number) is before


def test_what_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_ctrl_c_ends_a_run_with_130(fdd, tmp_path, monkeypatch):
    from fdd_flower.launch import in_process

    def interrupted(*_args):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(in_process, "run_in_process", interrupted)
    result = fdd("run", "--in-process", "--out", tmp_path / "a")
    assert result.exit_code == 130
    assert "stopped" in result.stderr
