"""Damaged payloads by the thousand: a verdict each, and no memory that stays.

    FDD_FUZZ=10000 pytest tests/attacks/test_fuzz.py -s

tries that many (goal R2); a plain test run tries a few hundred.
"""

from __future__ import annotations

import os
import time
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fdd_flower.ledger import Entry
from fdd_flower.server.distillation import FederatedDistillation
from fdd_flower.server.judging.replies import judged_replies
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.refusals import Code
from tests.attacks.fuzz import CODECS, SHAPES, cases
from tests.attacks.scene import LIAR, MemoryStaging, Server, config, honest_set, message, node_of

COUNT = int(os.environ.get("FDD_FUZZ", "300"))
MOST = 64 * 2**20  # bytes of memory that the server may grow by


class _NoLedger:
    """Takes refusals and keeps none: the disk is not what is tested."""

    def reject(self, **noted: object) -> None:
        assert isinstance(noted["reason"], str)
        assert len(noted["reason"]) <= 500

    def entries(self) -> list[Entry]:
        return []


def resident() -> tuple[int, int]:
    """Return the bytes of memory of this process: now, and at most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    return int(found["VmRSS"]) * 1024, int(found["VmHWM"]) * 1024


@pytest.fixture
def servers(tmp_path: Path) -> dict[tuple[str, tuple[int, ...]], Server]:
    made = {}
    for codec in CODECS:
        for shape in SHAPES:
            cfg = config(codec)
            server = Server(cfg, tmp_path / codec, shape=shape)
            server.side.ledger = _NoLedger()  # type: ignore[assignment]
            made[codec, shape] = server
    return made


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_fuzzed_payloads_get_a_verdict_and_no_memory(
    servers: dict[tuple[str, tuple[int, ...]], Server], caplog: pytest.LogCaptureFixture
) -> None:
    import logging

    caplog.set_level(logging.ERROR, logger="flwr")
    codes: Counter[str] = Counter()
    honest = {
        where: message(honest_set("0", server.cfg, shape=where[1]), node_of("0"))
        for where, server in servers.items()
    }
    others = {
        where: message(honest_set("2", server.cfg, shape=where[1]), node_of("2"))
        for where, server in servers.items()
    }
    for where, server in servers.items():  # what is loaded once is no growth
        _judge(server, [honest[where], others[where]])
    started, (before, _) = time.monotonic(), resident()
    _reset_peak()
    for case in cases(COUNT):
        where = case.codec, case.shape
        fuzzed = message(case.content, node_of(LIAR))
        server = servers[where]
        for part in _judge(server, [honest[where], fuzzed, others[where]]):
            assert float(part.inputs.abs().max()) <= 1e4
        # by node: damage may reach the client key
        codes[server.side.tally.verdicts[1].code or "accepted"] += 1
        assert server.side.tally.verdicts[0].accepted
        server.side.tally.verdicts.clear()
        server.side.client_at.clear()
    after, peak = resident()
    assert codes[Code.UNEXPECTED] == 0
    assert len(codes) >= 10, codes
    assert after - before <= MOST
    assert peak - before <= MOST
    print(
        f"\n{COUNT} payloads in {time.monotonic() - started:.1f} s; resident "
        f"{(after - before) / 2**20:+.1f} MB, peak {(peak - before) / 2**20:+.1f} MB; "
        f"{dict(codes.most_common())}"
    )


def _judge(server: Server, replies: list) -> list[SyntheticSet]:
    strategy = server.strategy
    assert isinstance(strategy, FederatedDistillation)
    staged: Any = MemoryStaging()
    rules = strategy._rules(1, staged)
    return [
        staged.sets[sha256] for _, sha256 in judged_replies(replies, side=server.side, rules=rules)
    ]


def _reset_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
    except OSError:
        pytest.skip("this kernel does not reset the peak of memory")


def test_no_honest_looking_bomb_takes_memory(
    servers: dict[tuple[str, tuple[int, ...]], Server],
) -> None:
    """The largest reply of each kind that the byte cap lets through, by Python's own count."""
    from tests.attacks.malformed_sets import ATTACKS

    bombs = [name for name in ATTACKS if "bomb" in name or "billion" in name or "tera" in name]
    assert len(bombs) >= 8
    for name in bombs:
        attack = ATTACKS[name]
        server = servers[attack.codec, attack.shape]
        honest = [
            message(honest_set(k, server.cfg, shape=attack.shape), node_of(k)) for k in ("0", "2")
        ]
        changed = attack.change(honest_set(LIAR, server.cfg, shape=attack.shape))
        assert changed is not None
        replies = [*honest, message(changed, node_of(LIAR))]
        tracemalloc.start()
        _judge(server, replies)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4 * 2**20, name
