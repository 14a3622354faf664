"""A whole audit: every target on the same records, and all that is tried on each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from fdd_flower.audit.attributes import attribute_attack
from fdd_flower.audit.copies import as_pairs
from fdd_flower.audit.inversion import Inversion, inversion_attack
from fdd_flower.audit.judge import Judged, judge
from fdd_flower.audit.metrics import Roc
from fdd_flower.audit.outcome.markdown import to_markdown
from fdd_flower.audit.outcome.roc import draw_roc
from fdd_flower.audit.outcome.rows import Finding, Outcome
from fdd_flower.audit.protocol import Canaries, Known, draw_canaries, thinned
from fdd_flower.audit.released.base import Release
from fdd_flower.audit.self_check import CORRECT, self_check
from fdd_flower.audit.shadow import shadow_attack
from fdd_flower.audit.subjects import alike, subject_attack
from fdd_flower.audit.targets import FEDAVG, RAW, ROUNDS, Target, quick_to_make, targets
from fdd_flower.config import Config
from fdd_flower.data import load_dataset
from fdd_flower.data.base import Dataset, Split
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import DistillError
from fdd_flower.report.pairs import draw_pairs
from fdd_flower.report.units import human_seconds
from fdd_flower.rng import derive
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.schema import Normalisation
from fdd_flower.wire.codecs.base import CODECS

Say = Callable[[str], None]
FIGURES, PAGE, CURVES, PAIRS = "audit.json", "audit.md", "roc.png", "pairs"
CLAIMS = (1.0, 10.0)  # of the mechanism by which the audit audits itself
SHOWN = 10  # pairs of a picture
MORE = ("dm@distiller.ipc=1", "dm@distiller.ipc=50", "dm@distiller.min-records=16",
        "dm@distiller.min-records=32", "dm@distiller.min-records=128")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is tried.

    Attributes
    ----------
    seeds
        Draws of canaries and of clients.
    shadows
        Releases for likelihood ratios, of each target that `shadowed` names or, if it names none,
        of all that are quick to make.
    batches, inversion_steps
        Of gradient inversion.
    """

    seeds: int
    shadows: int
    shadowed: tuple[str, ...]
    batches: tuple[int, ...]
    inversion_steps: int


QUICK = Extent(
    seeds=1,
    shadows=6,
    shadowed=(RAW, *ROUNDS, "dm", "dp-moments-epsilon-1"),
    batches=(1, 4),
    inversion_steps=150,
)
WHOLE = Extent(seeds=3, shadows=16, shadowed=(), batches=(1, 4, 16), inversion_steps=1000)


def audit(
    cfg: Config, *, names: Sequence[str], canaries: int, extent: Extent, folder: Path, say: Say
) -> Outcome:
    """Attack every target, and write figures, page and pictures into `folder` as it goes.

    Raises
    ------
    ConfigError
        If a target is unknown.
    DataError
        If the data cannot be read, or has too few records.
    """
    dataset = load_dataset(cfg.data, seed=cfg.seed)
    attacked = targets(cfg, names)
    records = thinned(pooled(dataset), canaries * 9 // 5, seed=cfg.seed)
    material = [
        (seed, *_material(cfg, dataset, records, canaries, seed)) for seed in range(extent.seeds)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(
        about={
            "data": cfg.data.name,
            "records": len(records),
            "canaries": canaries,
            "seeds": extent.seeds,
        },
        findings=[],
    )
    curves: dict[str, Roc] = {}
    whole, begun = len(attacked) * len(material), time.monotonic()
    for target in attacked:
        for seed, drawn, known in material:
            finding, judged = attack(target, drawn, known, seed=seed, extent=extent)
            outcome.findings.append(finding)
            done = len(outcome.findings)
            left = (time.monotonic() - begun) / done * (whole - done)
            rest = f"; about {human_seconds(left)} left" if left else ""
            say(f"[{done}/{whole}] {_line(finding)}{rest}")
            if judged is not None and seed == 0:
                curves[target.name] = judged[0].roc
                draw_nearest(target.name, judged, drawn.members, dataset.normalisation, folder)
            write(outcome, folder)
    if any(target.name == FEDAVG for target in attacked):
        outcome.inversions.extend(_inversions(material[0][1], material[0][2], extent, say))
    for epsilon in CLAIMS:
        outcome.checks.extend(self_check(epsilon, seed=cfg.seed))
        wrong = [c.fault for c in outcome.checks if c.found.broken == (c.fault == CORRECT)]
        say(f"the audit of itself at epsilon {epsilon:g}: {', '.join(wrong) or 'nothing'} missed")
    draw_roc(curves, folder / CURVES)
    write(outcome, folder)
    return outcome


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


def write(outcome: Outcome, folder: Path) -> None:
    """Replace the figures and the page, each whole."""
    write_atomic(folder / FIGURES, outcome.to_json().encode())
    write_atomic(folder / PAGE, to_markdown(outcome).encode())


def _material(
    cfg: Config, dataset: Dataset, records: Split, canaries: int, seed: int
) -> tuple[Canaries, Known]:
    drawn, reference = draw_canaries(records, count=canaries, seed=derive(cfg.seed, seed))
    codec = CODECS.get(cfg.codec.name)(cfg.codec)
    plan = Plan.of(dataset.schema, seed=cfg.seed + seed, run="audit", round_=1, codec=codec)
    return drawn, Known(cfg=cfg, plan=plan, reference=reference)


def _repeated(
    target: Target, drawn: Canaries, known: Known, seed: int, extent: Extent
) -> dict[str, Any]:
    """Return what takes more than one release, of targets that are quick to make."""
    found: dict[str, Any] = {}
    if not quick_to_make(target.name):
        return found
    if not extent.shadowed or target.name in extent.shadowed:
        if seed == 0:
            found["shadow"] = shadow_attack(
                target, drawn.records, known, releases=extent.shadows, seed=seed
            )
        pool, subjects = alike(drawn.records, seed=seed)
        found["subjects"] = subject_attack(target, pool, subjects, known, seed=seed)
    return found


def _inversions(drawn: Canaries, known: Known, extent: Extent, say: Say) -> list[Inversion]:
    found = []
    for batch in extent.batches:
        each, _, _ = inversion_attack(
            drawn.members, known, batch=batch, steps=extent.inversion_steps, seed=0
        )
        say(f"gradient inversion of {batch}: PSNR {each.psnr:.1f} dB")
        found.append(each)
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


def _line(finding: Finding) -> str:
    if finding.failed:
        return f"{finding.name}: no release ({finding.failed})"
    flagged = f"; flagged: {', '.join(finding.flags)}" if finding.flags else ""
    return (
        f"{finding.name}: AUC {finding.auc:.3f} by {finding.best}, epsilon at least "
        f"{finding.epsilon:.2f}{flagged}"
    )
