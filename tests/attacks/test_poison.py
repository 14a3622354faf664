"""Sets that are in order and hostile, through the real strategy, on digits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
import torch
from flwr.app import Message

from fdd_flower.config import CodecConfig, Config, ModelConfig, ScoringConfig, TrainingConfig
from fdd_flower.data import client_share, load_dataset
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import DISTILLERS, Plan
from fdd_flower.errors import DistillError, QuorumError
from fdd_flower.ledger import QUARANTINED, Entry, Ledger
from fdd_flower.rng import stream
from fdd_flower.scoring import Root, hold_out_root
from fdd_flower.server.distillation import FederatedDistillation
from fdd_flower.server.side import ServerSide
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.records import reply, set_record
from tests.attacks.poison import flip_labels, near_copy, poisoned, scale
from tests.attacks.scene import NONCE, Outcome, Server, envelope, message

CLIENTS = 8
HOSTILE = ["2", "5"]
Sets = Mapping[str, SyntheticSet]


def config(**scoring: object) -> Config:
    """Return settings that make a round take a moment.

    They allow more rows a class than honest clients send: scores are to find who relabels rows, and
    not the bound on rows, which would.
    """
    base = Config()
    return replace(
        base,
        distiller=replace(base.distiller, ipc=20),
        codec=CodecConfig(name="float32"),
        model=ModelConfig(name="logistic"),
        training=TrainingConfig(steps=2, batch_size=16),
        scoring=ScoringConfig(**({"mode": "quarantine"} | scoring)),  # type: ignore[arg-type]
    )


@cache
def digits() -> tuple[Plan, Split, Split]:
    """Return the plan, the root records, and the records that are left."""
    data = load_dataset(Config().data, seed=0)
    plan = Plan(
        round=1,
        seed=7,
        nonce=NONCE,
        classes=data.classes,
        feature_shape=data.feature_shape,
        normalisation=data.normalisation,
    )
    return plan, *hold_out_root(data.split(data.test), per_class=10, seed=0)


@cache
def honest(partition: str = "iid", alpha: float = 0.1, seed: int = 0) -> Sets:
    """Return the sets of honest clients, by k-means."""
    base, data, found = Config(), load_dataset(Config().data, seed=0), {}
    cut = replace(base.partition, name=partition, alpha=alpha, classes_per_client=1)
    distiller = DISTILLERS.get("kmeans")(base.distiller)
    for client in range(CLIENTS):
        share = client_share(data, cut, client=client, num_clients=CLIENTS, seed=seed)
        rng = stream(seed, "client", client, 1)
        try:
            made = distiller.distill(share, plan=digits()[0], start=None, rng=rng)
        except DistillError:
            continue
        found[str(client)] = made.synthetic
    return found


@dataclass
class Digits(Server):
    """The server half of a run on digits, with root records."""

    def __post_init__(self) -> None:
        assert self.folder is not None
        plan, root, _ = digits()
        self.side = ServerSide(cfg=self.cfg, plan=plan, ledger=Ledger(self.folder))
        if self.cfg.scoring.mode != "off":
            self.side.root = Root.of(root, seed=0)
        self.strategy = FederatedDistillation(self.side)

    def take(self, sent: Sets, number: int = 1, *, backwards: bool = False) -> Outcome:
        """Run one round on the sets that the clients send."""
        codec = CODECS.get("float32")(self.cfg.codec)
        replies: list[Message] = [
            message(reply(set_record(part, codec), envelope(client, number), {}), int(client) + 1)
            for client, part in sent.items()
        ]
        return self.round(replies[::-1] if backwards else replies, number)

    def aside(self, number: int = 1) -> list[str]:
        """Return the clients that are in quarantine."""
        return sorted(e.client for e in self.of_round(number) if e.verdict == QUARANTINED)

    def of_round(self, number: int) -> list[Entry]:
        """Return the ledger's lines of a round."""
        return [entry for entry in self.entries() if entry.round == number]


def attacked(name: str, sets: Sets) -> dict[str, SyntheticSet]:
    return poisoned(name, sets, HOSTILE, torch.Generator().manual_seed(0))


def without_hostile(sets: Sets) -> Sets:
    return {client: part for client, part in sets.items() if client not in HOSTILE}


@pytest.mark.parametrize("name", ["label flip", "noise", "blank", "trigger"])
@pytest.mark.parametrize("partition", ["iid", "dirichlet"])
def test_it_goes_and_the_result_is_as_without_it(tmp_path: Path, name: str, partition: str) -> None:
    sets = honest(partition)
    server, never = Digits(config(), tmp_path / "a"), Digits(config(), tmp_path / "b")
    found = server.take(attacked(name, sets))
    assert server.aside() == HOSTILE
    assert found.hash == never.take(without_hostile(sets)).hash
    assert {verdict.code for verdict in found.refused} == {QUARANTINED}
    assert server.side.tally.rejected_codes() == {QUARANTINED: 2}


def test_what_went_is_kept_with_reason_and_scores(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, sent = Digits(config(), tmp_path), attacked("label flip", honest())
    with caplog.at_level("INFO", logger="flwr"):
        server.take(sent)
    assert "quarantined the set of client 2: 0% of its labels agree" in caplog.text
    (entry,) = [entry for entry in server.entries() if entry.client == "2"]
    assert entry.code == QUARANTINED
    assert entry.reason.startswith("0% of its labels agree with the root model; its utility is -")
    assert entry.score is not None
    assert entry.score < 0
    assert (entry.agreement, entry.copied) == (0.0, 0.0)
    assert torch.equal(server.side.ledger.load(entry.sha256).inputs, sent["2"].inputs)
    server.side.ledger.check(entry)


def test_of_sybils_one_set_stays_at_most(tmp_path: Path) -> None:
    server = Digits(config(), tmp_path)
    server.take(attacked("sybils", honest()))
    assert server.aside() == HOSTILE
    clones = dict(honest()) | {
        client: near_copy(honest()["2"], torch.Generator().manual_seed(int(client)))
        for client in ("3", "4", "5")
    }
    server = Digits(config(), tmp_path / "clones")
    server.take(clones)
    assert server.aside() == ["3", "4", "5"]


def test_a_free_rider_is_found_by_what_its_peer_sent_before(tmp_path: Path) -> None:
    server, rng = Digits(config(), tmp_path), torch.Generator().manual_seed(1)
    server.take(honest())
    assert server.aside() == []
    # 0 goes before 6 in every other order
    server.take(dict(honest()) | {"0": near_copy(honest()["6"], rng)}, 2)
    assert server.aside(2) == ["0"]
    # the set that was kept aside gives no claim to it
    server.take(dict(honest()) | {"0": near_copy(honest()["6"], rng)}, 3)
    assert server.aside(3) == ["0"]


def test_a_replay_value_for_value_is_refused_before_it_is_scored(tmp_path: Path) -> None:
    server = Digits(config(), tmp_path)
    server.take(honest())
    found = server.take(dict(honest()) | {"0": honest()["6"]}, 2)
    assert [(v.client, v.code) for v in found.refused] == [("0", "duplicate-set")]


def test_to_shout_is_no_lie_about_labels_and_is_held_by_a_quota(tmp_path: Path) -> None:
    sent = attacked("scale", honest())
    server = Digits(config(quota=1.0), tmp_path / "a")
    server.take(sent)
    assert server.aside() == []  # honest rows: nothing to find
    merged, start = server.side.merged, sum(len(sent[client]) for client in ("0", "1"))
    assert merged is not None
    share = merged.weights[start : start + len(sent["2"])].sum() / merged.weights.sum()
    assert float(share) == pytest.approx(1 / CLIENTS, abs=0.02)
    loud = {
        client: scale(flip_labels(part, torch.Generator()), torch.Generator())
        for client, part in honest().items()
        if client in HOSTILE
    }
    server = Digits(config(), tmp_path / "b")
    server.take(dict(honest()) | loud)
    assert server.aside() == HOSTILE


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("partition", ["iid", "dirichlet", "classes"])
def test_honest_clients_stay_however_uneven_their_data(
    tmp_path: Path, partition: str, seed: int
) -> None:
    server = Digits(config(), tmp_path)
    server.take(honest(partition, seed=seed))
    assert server.aside() == []


def test_the_order_of_replies_changes_nothing(tmp_path: Path) -> None:
    one, other = Digits(config(), tmp_path / "a"), Digits(config(), tmp_path / "b")
    sent = attacked("trigger", honest("dirichlet"))
    assert one.take(sent).hash == other.take(sent, backwards=True).hash
    assert one.entries() == other.entries()


def test_to_score_leaves_nothing_out(tmp_path: Path) -> None:
    sent = attacked("label flip", honest())
    scored, off = (Digits(config(mode=m), tmp_path / m) for m in ("score", "off"))
    assert scored.take(sent).hash == off.take(sent).hash
    assert all(entry.score is not None for entry in scored.entries())
    assert all(entry.verdict == "accepted" for entry in scored.entries())
    assert all(entry.score is None for entry in off.entries())


def test_a_round_that_quarantine_leaves_below_its_quorum_ends_the_run(tmp_path: Path) -> None:
    cfg = config()
    cfg = replace(cfg, strategy=replace(cfg.strategy, quorum=7))
    with pytest.raises(QuorumError, match="got 6, and 2 in quarantine"):
        Digits(cfg, tmp_path).take(attacked("label flip", honest()))
