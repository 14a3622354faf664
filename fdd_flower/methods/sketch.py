"""Sketches: clients send sums over their records; the server works from the total."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import torch
from flwr.app import ArrayRecord, Message, MetricRecord
from torch import Tensor

from fdd_flower.client.side import ClientSide
from fdd_flower.config import Config
from fdd_flower.device import moved, on_host, resolve
from fdd_flower.distillers.base import Plan, usable_classes
from fdd_flower.errors import ConfigError, WireError
from fdd_flower.ledger import StoredSets
from fdd_flower.mergers.prior import claimed_counts
from fdd_flower.methods._summed import Reader, Summed
from fdd_flower.methods.base import STRATEGIES, Method
from fdd_flower.models import resolve_name
from fdd_flower.models.base import Network
from fdd_flower.progress_log import say
from fdd_flower.rng import stream
from fdd_flower.run_folder.saved_set import Source
from fdd_flower.secure_sum.client import flat, masked_values
from fdd_flower.secure_sum.graph import check_neighbours
from fdd_flower.secure_sum.server import not_plausible
from fdd_flower.secure_sum.total import (
    record_total,
)
from fdd_flower.server.checks import keys_of, refuse_changed
from fdd_flower.server.extra_models import other_models
from fdd_flower.server.judging.replies import judged_replies
from fdd_flower.server.side import ServerSide
from fdd_flower.sketches.base import COUNTS, KINDS, Arrays, Kind, Sketch, bounded, median_of
from fdd_flower.sketches.synthesis import synthesise
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.teachers import readout
from fdd_flower.wire.records import to_array_record
from fdd_flower.wording import many

READOUT = "random-features"  # the model that the sums of kind gram give by themselves
SECTIONS = ("distiller", "sketch", "merger", "codec", "scoring")  # used in part, or not at all
EVERY_KIND = (
    "sketch.kind", "sketch.start", "sketch.secure-sum", "sketch.neighbours", "distiller.ipc",
    "distiller.steps", "distiller.learning-rate", "distiller.seconds", "distiller.min-records",
)  # fmt: skip


class SketchSum(Summed):
    """Adds the clients' sketches, and learns from the total; see `sketches.base.Kind`.

    Where the model is linear in what `gram` sums, ridge regression solved from the total is the
    model. Any other, of `server.models` too, is trained on a synthetic set that is matched to the
    total.

    A round is a whole: its features are drawn again, and nothing is carried to the next.
    """

    def __init__(self, side: ServerSide) -> None:
        super().__init__(side)
        self.kind = kind_of(side.cfg, side.plan)

    def summary(self) -> None:
        """Log the parts of the method."""
        cfg = self.side.cfg
        how = "ridge regression on the total" if solves(cfg, self.side.plan) else "a set from it"
        say(f"sketch {cfg.sketch.kind}, {self.kind.max_bytes() / 1e6:.2f} MB at most; {how}")

    def _unmasked(self, server_round: int, replies: Iterable[Message]) -> str:
        """Return the hash in the ledger of the sum of masked sketches; it has none of these."""
        assert self.secure is not None
        kind, side = self._kind(server_round), self.side
        shapes = {COUNTS: (kind.classes,)} | dict(sorted(kind.shapes.items()))
        sizes = [math.prod(shape) for shape in shapes.values()]
        usable = judged_replies(replies, side=side, rules=self.secure.rules(sum(sizes)))
        total = self.secure.end({envelope.client: values for envelope, values in usable})
        parts = torch.from_numpy(total).split(sizes)
        counts, *sums = (part.view(s) for part, s in zip(parts, shapes.values(), strict=True))
        names = [name for name in shapes if name != COUNTS]
        arrays = kind.encode(Sketch(counts, dict(zip(names, sums, strict=True))))
        try:
            kind.decode(arrays)
        except WireError as error:
            raise not_plausible(error) from error
        return record_total(side, server_round, _tensors(arrays))

    def _learn(self, server_round: int, parts: StoredSets) -> tuple[ArrayRecord, MetricRecord]:
        cfg, total = self.side.cfg, self.total(server_round, parts.hashes)
        if solves(cfg, self.side.plan):
            if self._is_last(server_round) and synthesises(cfg, self.side.plan):
                self._synthesise(server_round, total, parts.hashes)
            return self._solve(server_round, total), MetricRecord({"records": total.records})
        merged = self._synthesise(server_round, total, parts.hashes)
        arrays = self._train(server_round, merged)
        metrics = MetricRecord({"rows": len(merged), "records": total.records})
        return arrays, metrics

    def resume(self, server_round: int, parts: Mapping[str, SyntheticSet]) -> None:
        """Make the set again that a run leaves, where all its rounds are done."""
        self.resumed = True
        if self._is_last(server_round) and synthesises(self.side.cfg, self.side.plan):
            assert isinstance(parts, StoredSets)
            self._synthesise(server_round, self.total(server_round, parts.hashes), parts.hashes)

    def total(self, server_round: int, hashes: Mapping[str, str]) -> Sketch:
        """Return the sum of the sketches that the ledger has, each in memory once at a time.

        A client that says it has more than 100 times the median counts for that many.
        """
        kind = self._kind(server_round)
        held = [int(self._read(sha256)[COUNTS].sum()) for sha256 in hashes.values()]
        median, total = median_of(held), None
        for sha256 in hashes.values():
            sketch = bounded(kind.decode(self._read(sha256)), median)
            total = sketch if total is None else total + sketch
        assert total is not None  # the quorum is at least 1
        return total

    def _read(self, sha256: str) -> Arrays:
        found = self.side.ledger.load_any(sha256)
        assert isinstance(found, Mapping)
        return {name: values.numpy() for name, values in found.items()}

    def _is_last(self, server_round: int) -> bool:
        return server_round == self.side.cfg.num_server_rounds

    def _kind(self, server_round: int) -> Kind:
        if self.kind.plan.round != server_round:
            self.kind = kind_of(self.side.cfg, replace(self.side.plan, round=server_round))
        return self.kind

    def _synthesise(
        self, server_round: int, total: Sketch, hashes: Mapping[str, str]
    ) -> SyntheticSet:
        say(f"round {server_round}: distilling the sketches of {many(total.records, 'record')}")
        rng, kind = stream(self.side.cfg.seed, "merge", server_round), self._kind(server_round)
        total = moved(total, kind.sums_device)
        self.side.merged = on_host(synthesise(kind, total, rng=rng))
        self.side.claimed = claimed_counts([self.side.merged])
        self.side.taught_by = kind.teacher(total)
        self.side.sources = tuple(Source(server_round, sha256) for sha256 in hashes.values())
        return self.side.merged

    def _solve(self, server_round: int, total: Sketch) -> ArrayRecord:
        kind = self._kind(server_round)
        teacher = kind.teacher(moved(total, kind.sums_device))
        assert teacher is not None
        model = self.side.new_model(server_round)
        model.load_state_dict(model.state_dict() | readout(teacher))
        return ArrayRecord(model.state_dict())

    def _reader(self, server_round: int) -> tuple[Reader, int]:
        """Return what reads a sketch, whose arrays go to disk as they came, and its most bytes."""
        kind = self._kind(server_round)

        def read(arrays: Arrays) -> dict[str, Tensor]:
            kind.decode(arrays)
            return _tensors(arrays)

        return read, kind.max_bytes()


def send(side: ClientSide) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Sum over the client's records, but those of classes that it has too few of.

    Raises
    ------
    DistillError
        If no class has enough records.
    """
    sketch = own_sketch(side)
    if side.cfg.sketch.secure_sum:
        return masked_values(flat(sketch), side.peers, plan=side.plan, context=side.context), {}
    return to_array_record(kind_of(side.cfg, side.plan).encode(sketch)), {}


def own_sketch(side: ClientSide) -> Sketch:
    """Return the sketch of the client's records.

    Raises
    ------
    DistillError
        If no class has enough records.
    """
    parts, withheld = usable_classes(side.data, side.cfg.distiller)
    if withheld:
        say(
            f"client {side.client}: withheld {many(len(withheld), 'class')} of fewer "
            f"than {many(side.cfg.distiller.min_records, 'record')}"
        )
    return kind_of(side.cfg, side.plan).of(parts)


def kind_of(cfg: Config, plan: Plan) -> Kind:
    """Return the kind of sketch of a run, with the public features of the round of `plan`.

    Sums of inputs are mean images: they stay at home where no row starts from them, and wherever
    masks are asked for.
    """
    sketch = cfg.sketch
    if sketch.secure_sum or not synthesises(cfg, plan):
        sketch = replace(sketch, start="noise")
    return KINDS.get(sketch.kind)(sketch, cfg.distiller, plan, resolve(cfg.runtime.device))


def _tensors(arrays: Arrays) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


def solves(cfg: Config, plan: Plan) -> bool:
    """Tell whether the total gives the global model by itself."""
    model = resolve_name(cfg.model.name, plan.feature_shape)
    return cfg.sketch.kind == "gram" and model == READOUT


def synthesises(cfg: Config, plan: Plan) -> bool:
    """Tell whether the server distils a set from the total."""
    return not solves(cfg, plan) or bool(other_models(cfg, plan))


def check_sketch(cfg: Config, plan: Plan, model: Network) -> None:
    """Check the settings of a run whose clients send sketches.

    Raises
    ------
    ConfigError
        If one is changed that has no effect, or the model is not that of the sums.
    """
    kind = kind_of(cfg, plan)
    used = (*EVERY_KIND, *kind.uses)
    refuse_changed(
        cfg,
        [name for section in SECTIONS for name in keys_of(section, but=used)],
        f"strategy.name=sketch and sketch.kind={cfg.sketch.kind}",
    )
    if not cfg.sketch.secure_sum:
        refuse_changed(cfg, ("sketch.neighbours",), "sketch.secure-sum=false")
    if cfg.sketch.secure_sum:
        check_neighbours(cfg.sketch.neighbours)
        refuse_changed(cfg, ("strategy.fraction",), "sketch.secure-sum=true")
        if cfg.num_server_rounds > 1:
            raise ConfigError(
                "num-server-rounds",
                expected="1 with sketch.secure-sum=true",
                got=cfg.num_server_rounds,
                remedy="Set it to 1: the difference of two rounds' totals would show the records "
                "of a client that is in one of them, and one round says all that sums can.",
            )
    if solves(cfg, plan) and cfg.model.width != cfg.sketch.width:
        raise ConfigError(
            "model.width",
            expected=f"sketch.width = {cfg.sketch.width} for the features that clients sum",
            got=cfg.model.width,
            remedy=f"Set model.width to {cfg.sketch.width}.",
        )


STRATEGIES.register("sketch")(
    Method(
        server=SketchSum,
        client=send,
        distils=False,
        synthesises=True,
        check=check_sketch,
        uses=(),
        conditions=False,
    )
)
