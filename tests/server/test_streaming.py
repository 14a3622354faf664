"""A round's sets are in memory one at a time, and nothing else about the round is changed by it."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from flwr.app import Message, RecordDict

from fdd_flower.config import Config, MergerConfig
from fdd_flower.errors import DataError, QuorumError
from fdd_flower.ledger import Ledger, StoredSets, _blobs
from fdd_flower.mergers._claims import balanced
from fdd_flower.mergers.union import Union
from fdd_flower.scoring import bound_shares
from fdd_flower.server.distillation import FederatedDistillation
from fdd_flower.server.grid import CountingGrid
from fdd_flower.server.judging import replies as replies_module
from fdd_flower.synthetic_set import LazySets, SyntheticSet, concatenate
from fdd_flower.wire.codecs.base import CODECS
from tests.attacks.scene import CLASSES, SHAPE, Server, config, honest_set, message, record
from tests.attacks.test_duplicates import as_client

ORDER = ("0", "1", "2", "3", "7", "10")  # of merging; they arrive in another
ROWS = 12  # of each of them


def settings(codec: str = "uint8", merger: str = "union", quota: float = 0.0) -> Config:
    cfg = config(codec)
    return replace(cfg, merger=MergerConfig(name=merger), scoring=replace(cfg.scoring, quota=quota))


def arrivals(cfg: Config) -> list[Message]:
    """Return honest replies, and between them a second one of client 10, a copy, an empty one."""
    found = [message(honest_set(key, cfg), int(key) + 1) for key in ("7", "10", "2", "0", "3", "1")]
    found.insert(1, message(as_client("10", honest_set("4", cfg)), 66))
    found.insert(3, message(as_client("9", honest_set("3", cfg)), 55))
    return [*found, message(RecordDict(), 77)]


def strategy_of(server: Server) -> FederatedDistillation:
    assert isinstance(server.strategy, FederatedDistillation)
    return server.strategy


def merged_of(cfg: Config, folder: Path) -> tuple[SyntheticSet, Server]:
    server = Server(cfg, folder)
    strategy = strategy_of(server)
    return strategy.merge(1, strategy.take_in(1, arrivals(cfg))), server


def by_hand(cfg: Config) -> list[SyntheticSet]:
    """Return what a codec gives back of each client's set, all at once."""
    codec, found = CODECS.get(cfg.codec.name)(cfg.codec), []
    for key in ORDER:
        arrays = {name: a.numpy() for name, a in record(honest_set(key, cfg)).items()}
        found.append(codec.decode(arrays, feature_shape=SHAPE, num_classes=len(CLASSES)))
    return found


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Return how many clients' sets are in memory `now`, and were at `most`."""
    count, check, known = {"now": 0, "most": 0}, SyntheticSet.__post_init__, dict[int, Any]()

    def gone(at: int) -> None:
        count["now"] -= 1
        del known[at]

    def counted(part: SyntheticSet) -> None:
        check(part)
        # two sets of one memory count once, and the merged set not at all
        if len(part) == ROWS and id(part.inputs) not in known:
            known[id(part.inputs)] = weakref.finalize(part.inputs, gone, id(part.inputs))
            count["now"] += 1
            count["most"] = max(count.values())

    monkeypatch.setattr(SyntheticSet, "__post_init__", counted)
    return count


@pytest.mark.parametrize("quota", [0.0, 1.0])
@pytest.mark.parametrize("merger", ["union", "class-balanced"])
@pytest.mark.parametrize("codec", ["float32", "uint8"])
def test_the_merged_set_is_that_of_all_sets_at_once(
    tmp_path: Path, codec: str, merger: str, quota: float
) -> None:
    cfg = settings(codec, merger, quota)
    merged, _ = merged_of(cfg, tmp_path)
    parts = list(
        bound_shares(found := by_hand(cfg), quota, owners=[str(i) for i in range(len(found))])
    )
    weights = torch.cat([part.weights for part in parts])
    if merger == "class-balanced":
        labels = torch.cat([part.targets for part in parts]).argmax(dim=1)
        weights = balanced(weights, labels)
    assert torch.equal(merged.inputs, torch.cat([part.inputs for part in parts]))
    assert torch.equal(merged.targets, torch.cat([part.targets for part in parts]))
    assert torch.equal(merged.weights, weights)
    assert dict(merged.meta) == {}


def test_the_ledger_has_refusals_as_they_came_then_sets_by_client(tmp_path: Path) -> None:
    cfg = settings()
    _, server = merged_of(cfg, tmp_path)
    assert [(e.client, e.verdict, e.code) for e in server.entries()] == [
        ("10", "rejected", "duplicate-client"),
        ("9", "rejected", "duplicate-set"),
        ("node 77", "rejected", "envelope"),
        *[(key, "accepted", "") for key in ORDER],
    ]
    hashes = [e.sha256 for e in server.entries()[3:]]
    assert hashes == [_blobs.content_hash(part) for part in by_hand(cfg)]
    # the set of the second reply of client 10 is nowhere
    assert {p.stem for p in tmp_path.glob("*.safetensors")} == set(hashes)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("quota", [0.0, 1.0])
@pytest.mark.parametrize("merger", ["union", "class-balanced"])
def test_two_sets_are_in_memory_at_most(
    tmp_path: Path, alive: dict[str, int], merger: str, quota: float
) -> None:
    cfg = settings("uint8", merger, quota)
    replies = arrivals(cfg)
    server = Server(cfg, tmp_path)
    strategy = strategy_of(server)
    alive["most"] = alive["now"]
    before = alive["now"]  # of the test's own honest clients
    parts = strategy.take_in(1, replies)
    assert alive["now"] == before
    strategy.merge(1, parts)
    assert alive["now"] == before
    assert 1 <= alive["most"] - before <= 2


def test_replies_are_given_up_as_they_are_judged(tmp_path: Path, monkeypatch: Any) -> None:
    """The encoded ones are held until the last is judged, and not while sets are merged."""
    cfg, server = settings(), Server(settings(), tmp_path)
    waiting = arrivals(cfg)

    class Pushed:
        def push_messages(self, messages: Any) -> list[str]:
            return [m.metadata.reply_to_message_id for m in waiting]

        def pull_messages(self, ids: Any) -> Iterator[Message]:
            while waiting:
                yield waiting.pop()

    grid: Any = Pushed()
    asked = [Message(RecordDict(), 1, "train")]
    replies = CountingGrid(grid).send_and_receive(asked, timeout=5)
    held: list[weakref.ref[Message]] = []
    judge = replies_module.judge

    def judged(one: Message, rules: Any) -> Any:
        held.append(weakref.ref(one))
        return judge(one, rules)

    monkeypatch.setattr(replies_module, "judge", judged)
    strategy_of(server).take_in(1, replies)
    assert len(held) == 9
    assert [one for one in held if one() is not None] == []


def test_a_merger_from_elsewhere_sees_a_sequence(tmp_path: Path) -> None:
    cfg = settings()

    class Own:
        def merge(self, parts: Sequence[SyntheticSet], *, rng: torch.Generator) -> SyntheticSet:
            assert len(parts) == len(ORDER)
            assert torch.equal(parts[-1].inputs, next(reversed(parts)).inputs)
            assert [len(part) for part in parts[1:3]] == [ROWS, ROWS]
            with pytest.raises(IndexError):
                parts[len(ORDER)]
            return SyntheticSet(
                inputs=torch.cat([part.inputs for part in parts]),
                targets=torch.cat([parts[at].targets for at in range(len(parts))]),
                weights=torch.cat([part.weights for part in list(parts)]),
            )

    server = Server(cfg, tmp_path)
    strategy = strategy_of(server)
    strategy.merger = Own()
    found = strategy.merge(1, strategy.take_in(1, arrivals(cfg)))
    like = Union(cfg.merger).merge(by_hand(cfg), rng=torch.Generator())
    assert _blobs.content_hash(found) == _blobs.content_hash(like)


def test_below_the_quorum_no_set_is_left(tmp_path: Path) -> None:
    cfg = settings()
    cfg = replace(cfg, strategy=replace(cfg.strategy, quorum=7))
    with pytest.raises(QuorumError, match="6 usable and 3 dropped"):
        strategy_of(Server(cfg, tmp_path)).take_in(1, arrivals(cfg))
    assert {p.name for p in tmp_path.iterdir()} == {"index.sqlite", "rejected"}


def test_a_full_disk_is_no_fault_of_the_reply(tmp_path: Path, monkeypatch: Any) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    server, replies = Server(settings(), tmp_path), arrivals(settings())
    monkeypatch.setattr(_blobs, "write_part", full)
    with pytest.raises(DataError, match="a disk that takes the reply; got No space left"):
        strategy_of(server).take_in(1, replies)
    assert server.entries() == []


def test_sets_of_a_ledger_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    cfg = settings()
    parts = strategy_of(Server(cfg, tmp_path)).take_in(1, arrivals(cfg))
    read: list[str] = []

    def load(sha256: str) -> SyntheticSet:
        read.append(sha256)
        return Ledger(tmp_path).load(sha256)

    lazy = StoredSets(load, parts.hashes)
    assert (list(lazy), len(lazy), "10" in lazy, "11" in lazy) == (list(ORDER), 6, True, False)
    assert list(lazy.only(["7", "1"])) == ["1", "7"]
    assert read == []
    assert torch.equal(lazy["10"].inputs, by_hand(cfg)[-1].inputs)
    assert len(read) == 1
    with pytest.raises(KeyError):
        lazy["11"]


@pytest.mark.parametrize("quota", [0.0, 1.0])
@pytest.mark.parametrize("merger", ["union", "class-balanced", "weighted", "dedupe", "herded"])
def test_a_set_is_read_twice_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, merger: str, quota: float
) -> None:
    cfg, read = settings("uint8", merger, quota), Counter[str]()
    strategy = strategy_of(Server(replace(cfg, merger=replace(cfg.merger, rows=3)), tmp_path))
    parts = strategy.take_in(1, arrivals(cfg))
    load = _blobs.load

    def counted(folder: Path, sha256: str) -> _blobs.Kept:
        read[sha256] += 1
        return load(folder, sha256)

    monkeypatch.setattr(_blobs, "load", counted)
    strategy.merge(1, parts)
    assert read == dict.fromkeys(parts.hashes.values(), 2)


def test_to_join_lazy_sets_is_to_join_a_list() -> None:
    def maker(rows: int) -> Callable[[], SyntheticSet]:
        rng = torch.Generator().manual_seed(rows)
        part = SyntheticSet(
            inputs=torch.randn(rows, 3, generator=rng),
            targets=torch.eye(2)[[0] * rows],
            weights=torch.ones(rows),
            meta={"rows": str(rows)},
        )
        return lambda: part

    lazy = LazySets([maker(rows) for rows in (3, 1, 4)])
    joined = concatenate(lazy)
    assert torch.equal(joined.inputs, torch.cat([part.inputs for part in lazy]))
    assert dict(joined.meta) == {"rows": "3"}
    assert len(lazy[1:]) == 2


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_is_found_anywhere(bad: float) -> None:
    for at in (0, 500, 999):
        inputs = torch.zeros(10, 100)
        inputs.view(-1)[at] = bad
        with pytest.raises(Exception, match=r"inputs: expected finite values"):
            SyntheticSet(inputs=inputs, targets=torch.eye(10), weights=torch.ones(10))
