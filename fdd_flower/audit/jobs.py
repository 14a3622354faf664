"""A target and a draw at a time, on as many cores as the audit is given."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from fdd_flower.audit.attributes import attribute_attack
from fdd_flower.audit.copies import as_pairs
from fdd_flower.audit.judge import Judged, judge
from fdd_flower.audit.metrics import Roc
from fdd_flower.audit.outcome.rows import Finding
from fdd_flower.audit.protocol import Canaries, Known, draw_canaries, thinned
from fdd_flower.audit.released.base import Release
from fdd_flower.audit.shadow import shadow_attack
from fdd_flower.audit.subjects import alike, subject_attack
from fdd_flower.audit.targets import Target, targets
from fdd_flower.config import Config
from fdd_flower.data import load_dataset
from fdd_flower.data.base import Dataset, Split
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import DistillError
from fdd_flower.report.pairs import draw_pairs
from fdd_flower.rng import derive
from fdd_flower.schema import Normalisation
from fdd_flower.threads import end_with_parent, threads
from fdd_flower.wire.codecs.base import build_codec

PAIRS = "pairs"
SHOWN = 10  # pairs of a picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is tried.

    Attributes
    ----------
    seeds
        Draws of canaries and of clients.
    shadows
        Releases for likelihood ratios, of each target that `shadowed` names or, if it names none,
        of all.
    batches, inversion_steps
        Of gradient inversion.
    """

    seeds: int
    shadows: int
    shadowed: tuple[str, ...]
    batches: tuple[int, ...]
    inversion_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What all jobs of an audit have in common; `folder` gets the pictures."""

    cfg: Config
    canaries: int
    extent: Extent
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A target, by name, and a draw of the coins."""

    target: str
    seed: int


Done = tuple[Finding, Roc | None]


def do(work: Work, job: Job) -> Done:
    """Return what all attacks make of a target, and the curve of the first draw."""
    (target,) = targets(work.cfg, [job.target])
    normalisation, drawn, known = material(work.cfg, work.canaries, job.seed)
    finding, judged = attack(target, drawn, known, seed=job.seed, extent=work.extent)
    if judged is None or job.seed:
        return finding, None
    draw_nearest(target.name, judged, drawn.members, normalisation, work.folder)
    return finding, judged[0].roc


def do_all(work: Work, jobs: Sequence[Job], *, processes: int) -> Iterator[tuple[Job, Done]]:
    """Yield jobs as they are done: the same in one process or in many."""
    processes = min(processes, len(jobs))
    if processes == 1:
        for job in jobs:
            yield job, do(work, job)
        return
    # processes that begin anew: a fork of one whose libraries run threads may hang
    pool = ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=end_with_parent
    )
    try:
        waiting = {pool.submit(_do_alone, work, job): job for job in jobs}
        for each in as_completed(waiting):
            yield waiting[each], each.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _do_alone(work: Work, job: Job) -> Done:
    with threads(1):
        return do(work, job)


@lru_cache(maxsize=8)
def material(cfg: Config, canaries: int, seed: int) -> tuple[Normalisation, Canaries, Known]:
    """Return the canaries of a draw and what an attacker knows, the same for every target.

    Raises
    ------
    DataError
        If the data cannot be read, or has too few records.
    """
    dataset = load_dataset(cfg.data, seed=cfg.seed)
    records = thinned(pooled(dataset), canaries * 9 // 5, seed=cfg.seed)
    drawn, reference = draw_canaries(records, count=canaries, seed=derive(cfg.seed, seed))
    codec = build_codec(cfg.codec, dataset.feature_shape)
    plan = Plan.of(dataset.schema, seed=cfg.seed + seed, run="audit", round_=1, codec=codec)
    return dataset.normalisation, drawn, Known(cfg=cfg, plan=plan, reference=reference)


def attack(
    target: Target, drawn: Canaries, known: Known, *, seed: int, extent: Extent
) -> tuple[Finding, tuple[Judged, Release] | None]:
    """Return what all attacks make of one target, and the release that was judged."""
    begun = time.monotonic()
    try:
        release = target.release(drawn.members, known, derive(seed, "audit", "release"))
    except DistillError as error:
        seconds = time.monotonic() - begun
        why = " ".join(str(error).split())
        return Finding(name=target.name, seed=seed, seconds=seconds, failed=why), None
    judged = judge(target, release, drawn, known)
    near = judged.scores.get("nearest")
    finding = Finding(
        name=target.name,
        seed=seed,
        seconds=0.0,
        rows=None if release.rows is None else len(release.rows),
        claim=target.claim,
        scores=judged.scores,
        best=judged.best,
        epsilon=judged.epsilon,
        epsilon_interval=judged.epsilon_interval,
        nearest_auc=near.auc if near else None,
        copies=judged.copies,
        copies_embedded=judged.copies_embedded,
        flags=judged.flags,
        attributes=attribute_attack(target, drawn.members, known, seed=seed),
        **_repeated(target, drawn, known, seed, extent),
    )
    return replace(finding, seconds=time.monotonic() - begun), (judged, release)


def pooled(dataset: Dataset) -> Split:
    """Return training and test records together: an audit measures no accuracy."""
    parts = [dataset.split(part) for part in (dataset.train, dataset.test)]
    return Split(
        inputs=torch.cat([part.inputs for part in parts]),
        labels=torch.cat([part.labels for part in parts]),
        classes=dataset.classes,
    )


def _repeated(
    target: Target, drawn: Canaries, known: Known, seed: int, extent: Extent
) -> dict[str, Any]:
    """Return what takes more than one release."""
    found: dict[str, Any] = {}
    if extent.shadowed and target.name not in extent.shadowed:
        return found
    if seed == 0:
        with suppress(DistillError):  # halves may have too few records where the whole has enough
            found["shadow"] = shadow_attack(
                target, drawn.records, known, releases=extent.shadows, seed=seed
            )
    pool, subjects = alike(drawn.records, seed=seed)
    with suppress(DistillError):
        found["subjects"] = subject_attack(target, pool, subjects, known, seed=seed)
    return found


def draw_nearest(
    name: str,
    judged: tuple[Judged, Release],
    members: Split,
    normalisation: Normalisation,
    folder: Path,
) -> None:
    """Draw the nearest pairs of a release that has rows."""
    found, release = judged
    places = torch.from_numpy(as_pairs(found.pairs, SHOWN))
    if release.rows is None or not len(places):
        return
    (folder / PAIRS).mkdir(exist_ok=True)
    near = min(pair.distance for pair in found.pairs)
    draw_pairs(
        release.rows.inputs[places[:, 0]],
        members.inputs[places[:, 1]],
        normalisation,
        title=f"{name}: the nearest pairs",
        note=f"nearest of all at {near:.2f} of the usual distance between neighbours",
        path=folder / PAIRS / f"{name.replace('/', '-').replace(':', '-')}.png",
    )
