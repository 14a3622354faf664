"""Fixtures of the fault tests: a federation of real processes, and what a run left alone gives."""

from __future__ import annotations

import os

import pytest

from tests.faults.federation import Federation, result, running

REPEATS = int(os.environ.get("FDD_FAULTS", "0"))  # how often each fault; 0: once if asked for


def pytest_collection_modifyitems(config, items):
    asked = REPEATS or config.getoption("markexpr") == "faults"
    for item in items:
        if "tests/faults" in item.nodeid:
            item.add_marker(pytest.mark.faults)
            if not asked:
                item.add_marker(
                    pytest.mark.skip(reason="minutes each; -m faults, or FDD_FAULTS=1 or more")
                )


def pytest_generate_tests(metafunc):
    if "attempt" in metafunc.fixturenames:
        metafunc.parametrize("attempt", range(max(1, REPEATS)))


@pytest.fixture
def federation(tmp_path):
    yield from running(tmp_path)


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> list[bytes]:
    """Return what a run gives that nothing happens to."""
    federation = Federation(tmp_path_factory.mktemp("whole"))
    try:
        federation.start().submit()
        assert federation.finished() == "finished:completed", federation.logs()
        return result(federation.out)
    finally:
        federation.stop()
