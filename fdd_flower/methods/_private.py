"""The private form of `fdd`: clients send releases, which add up; the server draws rows."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from functools import reduce

import numpy as np
import torch
from flwr.app import ArrayRecord, Message, MetricRecord
from torch import Tensor

from fdd_flower.client.release import RELEASE, send_release
from fdd_flower.config import Config, keys
from fdd_flower.device import HOST, moved, on_host
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import ConfigError
from fdd_flower.ledger import StoredSets
from fdd_flower.mergers.prior import claimed_counts
from fdd_flower.methods._summed import Reader, Summed
from fdd_flower.methods.base import Method
from fdd_flower.models.base import Network
from fdd_flower.progress_log import say
from fdd_flower.releases.base import Learned, Total, release_of, worth_adding
from fdd_flower.releases.coding import near_end, units, unpack
from fdd_flower.releases.terms import least_to_stay, own_sigma, spend_of
from fdd_flower.rng import stream
from fdd_flower.run_folder.saved_set import Source
from fdd_flower.secure_sum.total import record_total
from fdd_flower.server.checks import keys_of, refuse_changed
from fdd_flower.server.judging.replies import judged_replies
from fdd_flower.server.judging.screened import screened
from fdd_flower.server.side import ServerSide
from fdd_flower.sketches.base import HEADROOM, MAX_RATIO, median_of
from fdd_flower.sketches.integers import check_planes
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.arrays import require
from fdd_flower.wire.refusals import Code
from fdd_flower.wording import many

SCORED = 50  # rows of a class, drawn of one client's release
SIGMA, SHIFT = "sigma", "shift"  # of a sum, beside its values in the ledger


class PrivateSum(Summed):
    """Adds the clients' releases, and draws the set from what they say together.

    Behind a secure sum it sees the total alone, whose noise the clients share. Without, a client's
    release counts for the classes that it helps, and not for those that it only adds noise to.
    All it does with releases is free of charge.
    """

    def __init__(self, side: ServerSide) -> None:
        super().__init__(side)
        self.release = release_of(side.cfg, side.plan, side.device)

    def summary(self) -> None:
        """Log the parts of the method."""
        cfg = self.side.cfg
        how = "behind a secure sum" if cfg.sketch.secure_sum else "of each client's own noise"
        sigma = spend_of(cfg).sigma
        size = -(-self.release.size // 8) * self.release.coding(sigma).bits
        say(
            f"{cfg.privacy.mode}, noise multiplier {sigma:.4g}, {how}; {size / 1e3:.0f} kB a client"
        )

    @property
    def least(self) -> int:
        """How many clients must stay in a secure sum, as each of them demands."""
        return least_to_stay(self.side.cfg)

    def _unmasked(self, server_round: int, replies: Iterable[Message]) -> str:
        """Return the hash in the ledger of the sum of masked releases; it has none of these."""
        side, secure = self.side, self.secure
        assert secure is not None
        assert secure.group is not None
        usable = judged_replies(replies, side=side, rules=secure.rules(self.release.size))
        total = secure.end({envelope.client: values for envelope, values in usable})
        sigma = own_sigma(side.cfg, secure.group.threshold)
        arrays = {
            RELEASE: torch.from_numpy(total),
            SIGMA: torch.tensor([sigma * len(usable) ** 0.5], dtype=torch.float64),
            SHIFT: torch.tensor([self.release.coding(sigma).shift]),
        }
        return record_total(side, server_round, arrays)

    def _learn(self, server_round: int, parts: StoredSets) -> tuple[ArrayRecord, MetricRecord]:
        learned = self._draw(server_round, parts.hashes)
        merged = self.side.merged
        assert merged is not None
        model = self.side.new_model(server_round)
        if learned.solve(model):
            arrays = ArrayRecord(model.state_dict())
        else:
            rng = stream(self.side.cfg.seed, "fresh", server_round)
            self.fresh = lambda: moved(learned.draw(len(merged), rng=rng), self.side.device)
            arrays = self._train(server_round, merged)
        return arrays, MetricRecord({"rows": len(merged)})

    def screened(self, server_round: int, hashes: Mapping[str, str]) -> StoredSets:
        """Score the rows that each client's release alone would give; see `scoring.mode`.

        Behind a secure sum nobody has a release of one client, and there is no score.
        """
        if self.side.cfg.sketch.secure_sum:
            return super().screened(server_round, hashes)
        client_of = {sha256: client for client, sha256 in hashes.items()}

        def rows(sha256: str) -> SyntheticSet:
            found = self.side.ledger.load_any(sha256)
            assert isinstance(found, Mapping)
            # of its own draw: rows of two clients are no copies of each other
            rng = stream(self.side.cfg.seed, "score", client_of[sha256], server_round)
            learned = self.release.learn(self._total(found), rng=rng)
            return learned.draw(SCORED * self.release.classes, rng=rng)

        return screened(StoredSets(rows, hashes), side=self.side, round_=server_round)

    def resume(self, server_round: int, parts: Mapping[str, SyntheticSet]) -> None:
        """Draw the set again that the run leaves."""
        self.resumed = True
        assert isinstance(parts, StoredSets)
        self._draw(server_round, parts.hashes)

    def _draw(self, server_round: int, hashes: Mapping[str, str]) -> Learned:
        cfg, total = self.side.cfg, self._sum(hashes)
        records = self.release.counts(total)[self.release.present(total)].sum()
        about = many(round(float(records)), "record")
        say(f"round {server_round}: drawing rows from what is known of about {about}")
        rng = stream(cfg.seed, "merge", server_round)
        learned = self.release.learn(total, rng=rng)
        rows = cfg.privacy.rows * self.release.classes
        self.side.merged = on_host(learned.draw(rows, rng=rng))
        self.side.claimed = claimed_counts([self.side.merged])  # noisy, and free of charge
        self.side.taught_by = learned.teacher()
        self.side.sources = tuple(Source(server_round, sha256) for sha256 in hashes.values())
        return learned

    def _sum(self, hashes: Mapping[str, str]) -> Total:
        """Return the sum of releases, each client's held to 100 times the median of records.

        A release of a client's own noise counts for the classes that it helps.
        """
        release, each = self.release, []
        for client, sha256 in hashes.items():
            found = self.side.ledger.load_any(sha256)
            assert isinstance(found, Mapping)
            self._warn(client, found)
            each.append(self._total(found))
        held = [max(0, int(release.counts(one).sum())) for one in each]
        most = MAX_RATIO * max(1, median_of(held))
        shares = [min(1.0, most / max(1, records)) for records in held]
        each = [Total(t.values * s, t.noise * s) for t, s in zip(each, shares, strict=True)]
        added = worth_adding(torch.stack([release.counts(one) for one in each]))
        parts = [release.only(one, there) for one, there in zip(each, added, strict=True)]
        return reduce(operator.add, parts)

    def _warn(self, client: str, found: Mapping[str, Tensor]) -> None:
        """Say where numbers of a release are near the end of their range: there are more records.

        Of a sum behind masks a client's own log says so.
        """
        if SIGMA in found:
            return
        coding = self.release.coding(spend_of(self.side.cfg).sigma)
        if count := near_end(found[RELEASE].long(), coding):
            most = self.side.cfg.privacy.most_records
            say(
                f"WARNING: {count} numbers of the release of {client} are cut off, or close to it: "
                f"it has too many records of a class for privacy.most-records={most}, and what it "
                "says of them is wrong. Raise the setting in a new run."
            )

    def _total(self, found: Mapping[str, Tensor]) -> Total:
        release = self.release
        spread = release.spread.expand(release.size)
        if SIGMA in found:
            sigma, shift = float(found[SIGMA]), int(found[SHIFT])
        else:
            sigma = spend_of(self.side.cfg).sigma
            shift = release.coding(sigma).shift
        return Total(units(found[RELEASE], shift, release.unit), sigma * spread)

    def _reader(self, server_round: int) -> tuple[Reader, int]:
        """Return what reads a release, of the size that all have, and its bytes."""
        size = self.release.size
        bits = self.release.coding(spend_of(self.side.cfg).sigma).bits

        def read(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
            names = ", ".join(sorted(map(repr, arrays)))[:200]
            require(set(arrays) == {RELEASE}, "arrays", RELEASE, names, Code.ARRAYS)
            check_planes(RELEASE, arrays[RELEASE], (size,), bits=bits)
            return {RELEASE: unpack(arrays[RELEASE], size).int()}

        return read, HEADROOM + bits * -(-size // 8)


# Why a private mode takes these as they are by default
REASONS = {
    "distiller.bytes": "how many rows fit would follow the records; a release has a fixed size",
    "distiller.start": "it has no effect, for rows start from noise or are drawn; a start from "
    "records would be a release that nobody charged",
    "distiller.embedder": "a network trained on records is a release that nobody charged",
    "distiller.labels": "a teacher trained on records is a release that nobody charged",
    "strategy.finish": "sums over records and changes of weights are releases that nobody charged",
    "distiller.min-records": "a class that is withheld tells that it is small",
}


def check_private(cfg: Config, plan: Plan, model: Network) -> None:
    """Check the settings of a run whose clients send releases.

    Raises
    ------
    ConfigError
        If one would let records through without a charge, or has no effect.
    """
    where = f"privacy.mode={cfg.privacy.mode}"
    for name, why in REASONS.items():
        try:
            refuse_changed(cfg, (name,), where)
        except ConfigError as error:
            default = keys()[name].default
            raise ConfigError(
                name, expected=f"{default} with {where}", got=error.got, remedy=f"{why}."
            ) from error
    if not cfg.data.subject:
        refuse_changed(cfg, ("privacy.records-per-subject",), "no data.subject")
    release = release_of(cfg, plan, HOST)
    sections = ("distiller", "merger", "codec")
    names = [name for section in sections for name in keys_of(section, but=release.uses)]
    some = {"sketch.width", "privacy.rows"}  # that one mode has
    refuse_changed(cfg, [*names, *sorted(some.difference(release.uses))], where)
    if cfg.num_server_rounds > 1:
        raise ConfigError(
            "num-server-rounds",
            expected=f"1 with {where}",
            got=cfg.num_server_rounds,
            remedy="Set it to 1: further rounds would release the same sums again, and cost as "
            "much as one round with less noise.",
        )
    if cfg.sketch.secure_sum:
        unused = ("strategy.fraction", "sketch.neighbours", "scoring.mode")
        refuse_changed(cfg, unused, "sketch.secure-sum=true")
    else:
        refuse_changed(cfg, ("privacy.colluding",), "sketch.secure-sum=false")


PRIVATE = Method(
    server=PrivateSum,
    client=send_release,
    distils=False,
    synthesises=True,
    scored=True,
    check=check_private,
    uses=("finish",),  # so that `check_private` refuses it, with its reason
    conditions=False,
)
