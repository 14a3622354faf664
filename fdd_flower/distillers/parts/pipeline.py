"""What all distillers share: check options, pick classes, pack rows, label them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from fdd_flower.config import DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import (
    ClassRecords,
    Distilled,
    Plan,
    assemble,
    declares,
    of_classes,
    packing_of,
    usable_classes,
)
from fdd_flower.distillers.budget.budget import fit, plan_for_bytes, refit
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.clock import (
    SHARE_TO_FINISH,
    SHARE_TO_PREPARE,
    SHARE_TO_START,
    Clock,
)
from fdd_flower.distillers.parts.groups import Group, count_of, deal, parts_of
from fdd_flower.distillers.parts.labels import soften, solves, teacher_for
from fdd_flower.distillers.parts.optimise import NonFiniteError
from fdd_flower.distillers.parts.options import check_plan
from fdd_flower.distillers.parts.packing import Packing
from fdd_flower.distillers.parts.sharpen import sharpened
from fdd_flower.distillers.parts.start import start_images
from fdd_flower.distillers.parts.views import TILE, View, embedding_views
from fdd_flower.models.base import Network
from fdd_flower.rng import fork, stream
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import Codec

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Job:
    """One distillation: what a distiller works with.

    Attributes
    ----------
    parts
        The classes to distil; `part.rows` are the packed rows that each may have.
    plan, start
        As in `Distiller.distill`.
    seed
        Of everything that this client draws for itself in the round.
    clock
        Runs since the distillation began.
    most
        Records of a class that the time leaves for one network; None: all that it may see.
    """

    cfg: DistillerConfig
    data: Split
    plan: Plan
    parts: list[ClassRecords]
    start: SyntheticSet | None
    seed: int
    clock: Clock
    most: int | None = None

    @property
    def device(self) -> torch.device:
        """Where the records are, and all that is made of them."""
        return self.data.inputs.device

    @property
    def labels(self) -> list[int]:
        """The class of each of `parts`."""
        return [part.label for part in self.parts]

    @property
    def records(self) -> Split:
        """The records of `parts`: those of classes that are withheld shape nothing."""
        return of_classes(self.data, self.labels)

    def rng(self, part: ClassRecords) -> torch.Generator:
        """Return the stream of a class: the same whichever other classes a client has."""
        return stream(self.seed, "class", part.label)

    @property
    def packing(self) -> Packing:
        """How rows hold images."""
        return packing_of(self.cfg, self.plan.feature_shape, self.plan.codec)

    def images(self, part: ClassRecords) -> int:
        """Return how many images the rows of `part` hold, none for fewer than `min_records`."""
        most = max(1, len(part.inputs) // self.cfg.min_records)
        return min(part.rows * self.packing.cells, most)

    def views(self) -> list[View]:
        """Return the embedders that the settings ask for and the time allows."""
        return embedding_views(self.cfg, self.plan, self.records, seed=self.seed, clock=self.clock)

    def seen(self, part: ClassRecords, view: int, places: Tensor | None = None) -> Tensor:
        """Return the records of `part` that network `view` sees: a draw of its own, or all.

        Over networks the draws together cover many more records than one of them embeds.

        Parameters
        ----------
        places
            Of those that may be drawn, int64, and then their share; None: all.
        """
        device = part.inputs.device
        held = torch.arange(len(part.inputs), device=device) if places is None else places
        limit = -(-self._limit(part) * len(held) // len(part.inputs))
        if limit < len(held):
            rng = stream(self.seed, "seen", part.label, view)
            held = held[torch.randperm(len(held), generator=rng)[:limit].to(device)]
        return part.inputs[held] if len(held) < len(part.inputs) else part.inputs

    def groups(self, part: ClassRecords, images: Tensor) -> list[Group]:
        """Return the groups of `part` and, in place of rows, of the `images` that stand for it.

        The images of a row stay together.
        """
        cells = self.packing.cells
        rows = images.flatten(1).view(-1, cells, images[0].numel()).mean(dim=1)
        found = deal(
            part.inputs.flatten(1), rows, count_of(len(rows), cells=cells, size=self._size)
        )
        within = torch.arange(cells, device=self.device)
        return [Group(g.records, (g.rows[:, None] * cells + within).flatten()) for g in found]

    @property
    def _size(self) -> int:
        return self.cfg.group_size if declares(self.cfg.name, "groups") else 0

    def _limit(self, part: ClassRecords) -> int:
        count = len(part.inputs)
        return min(count, self.cfg.sample or count, self.most or count)

    def prepared(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """Do each of `tasks`, as far as the time to prepare goes; at least the first.

        Where not even one has time for all the records that it may see, it sees fewer.
        """
        self.most = None
        if max(map(self._limit, self.parts)) > TILE:
            until, self.most = self.clock.until(SHARE_TO_PREPARE), TILE
            self.most = max(TILE, int(TILE * self.clock.repeats(tasks[0], until=until)))
        started, done = self.clock.elapsed, []
        for task in tasks:
            if not self.clock.may_prepare(len(done), started):
                break
            done.append(task())
        return done

    def first_rows(self) -> list[Tensor]:
        """Return the packed rows that each class starts from: its last ones, if it has any."""
        until = self.clock.elapsed + SHARE_TO_START * self.clock.seconds
        turns = self.clock.turns(len(self.parts), until)
        rows = []
        for part, turn in zip(self.parts, turns, strict=True):
            if self.start is not None and bool((self.start.labels == part.label).any()):
                rows.append(self.start.inputs[self.start.labels == part.label])
                continue
            split = {"cells": self.packing.cells, "size": self._size}
            ends = self.clock.turns(count_of(part.rows, **split), turn)
            pairs = zip(parts_of(part, **split), ends, strict=True)
            fresh = [self.fresh_rows(g, self.cfg.start, until=end) for g, end in pairs]
            rows.append(self._sharpened(torch.cat(fresh), part))
        return rows

    def _sharpened(self, rows: Tensor, part: ClassRecords) -> Tensor:
        if self.cfg.start != "sharp":
            return rows
        return self.packing.pack(sharpened(self.packing.images(rows), part.inputs))

    def fresh_rows(self, part: ClassRecords, start: str, *, until: float) -> Tensor:
        """Return packed rows of a class by `start`, a choice of `distiller.start`."""
        images = start_images(
            part,
            self.images(part),
            start=start,
            min_records=self.cfg.min_records,
            rng=self.rng(part),
            clock=self.clock,
            until=until,
        )
        return self.packed(images)

    def packed(self, images: Tensor) -> Tensor:
        """Return the images of a class as packed rows; a last row is filled by repeating them."""
        wanted = len(images) + -len(images) % self.packing.cells
        repeated = torch.arange(wanted, device=images.device) % len(images)
        return self.packing.pack(images[repeated])

    def canvas(self, rows: list[Tensor]) -> Canvas:
        """Return `rows` ready to be optimised."""
        return Canvas(
            rows,
            self.labels,
            num_classes=len(self.data.classes),
            packing=self.packing,
            codec=self.plan.codec if self.cfg.codec_aware else None,
            refit=partial(refit, self.cfg) if self.cfg.bytes and self.cfg.fill == "trade" else None,
        )

    def found(self, canvas: Canvas) -> Rows:
        """Return the rows of `canvas` as they are now."""
        return Rows(list(canvas.rows.detach().split(canvas.sizes)), codec=canvas.codec)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a distiller finds: packed rows per class, and targets if it learned them."""

    inputs: list[Tensor]  # (m, *feature_shape) each
    targets: Tensor | None = None  # (sum of m, num_classes), rows sum to 1
    codec: Codec | None = None  # that they were optimised through, if they were


class Pipeline(ABC):
    """Base of the distillers that ship: a file each says only how its rows are found.

    Attributes
    ----------
    sends_real
        Whether rows can be records as they are: then it is a baseline, for public data.
    joint
        Whether the objective needs contrast between classes: a client with one class then
        needs `distiller.peers`.
    packs
        Rows hold several images by `distiller.packing`.
    groups
        Rows stand for groups of a class's records, by `distiller.group-size`.
    guided
        Rows follow `plan.guidance` too.
    """

    sends_real: ClassVar[bool] = False
    joint: ClassVar[bool] = False
    packs: ClassVar[bool] = True
    groups: ClassVar[bool] = False
    guided: ClassVar[bool] = False

    def __init__(self, cfg: DistillerConfig) -> None:
        self.cfg = cfg

    def distill(
        self, data: Split, *, plan: Plan, start: SyntheticSet | None, rng: torch.Generator
    ) -> Distilled:
        """Return a synthetic set for `data`; see `Distiller.distill`.

        Raises
        ------
        ConfigError
            If an option does not fit the data or the plan; before any work.
        DistillError
            If no class has enough records; or if a loss stops being finite: its `kept` is then
            the set before the step at fault.
        """
        check_plan(self.cfg, plan)
        clock = Clock(self.cfg.seconds)
        cfg, seed = self.cfg, fork(rng)
        if cfg.bytes:
            cfg, plan = plan_for_bytes(data, cfg, plan, seed=seed, clock=clock)
        cells = packing_of(cfg, plan.feature_shape, plan.codec).cells
        parts, withheld = usable_classes(data, cfg, cells=cells)
        job = Job(cfg=cfg, data=data, plan=plan, parts=parts, start=start, seed=seed, clock=clock)
        if solves(cfg, classes=len(parts)):
            clock.keep(SHARE_TO_FINISH)
        teacher = teacher_for(job.records, cfg=cfg, plan=plan, seed=job.seed, clock=clock)
        try:
            rows = self._rows(job)
            synthetic = self._finish(job, rows, teacher)
        except NonFiniteError as error:
            error.kept = self._finish(job, Rows(error.rows), teacher)
            raise
        codec = rows.codec or plan.codec
        if cfg.bytes:
            assert codec is not None
            synthetic, codec = fit(
                synthetic,
                codec,
                max_bytes=cfg.bytes,
                keep_quality=cfg.codec_aware or cfg.fill == "rows",
            )
        return Distilled(synthetic=synthetic, withheld=withheld, codec=codec)

    @abstractmethod
    def _rows(self, job: Job) -> Rows:
        """Return the rows of each of `job.parts`, in their order."""

    def _finish(self, job: Job, rows: Rows, teacher: Network | None) -> SyntheticSet:
        meta = {
            "distiller": self.cfg.name,
            "start": "warm" if job.start is not None else self.cfg.start,
            "packing": str(job.packing.factor),
        }
        synthetic = assemble(job.parts, rows.inputs, len(job.data.classes), meta)
        targets = rows.targets
        if targets is None:
            targets = soften(
                synthetic,
                job.records,
                teacher=teacher,
                cfg=self.cfg,
                plan=job.plan,
                clock=job.clock,
            )
        return replace(synthetic, targets=targets)
