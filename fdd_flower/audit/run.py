"""A whole audit: every target on the same records, and all that is tried on each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fdd_flower.audit.inversion import Inversion, inversion_attack
from fdd_flower.audit.jobs import Done, Extent, Job, Work, do_all, material
from fdd_flower.audit.outcome.markdown import to_markdown
from fdd_flower.audit.outcome.roc import draw_roc
from fdd_flower.audit.outcome.rows import Finding, Outcome
from fdd_flower.audit.self_check import self_check
from fdd_flower.audit.targets import FEDAVG, RAW, ROUNDS, targets
from fdd_flower.config import Config
from fdd_flower.report.units import human_seconds
from fdd_flower.run_folder.files import write_atomic

Say = Callable[[str], None]
FIGURES, PAGE, CURVES = "audit.json", "audit.md", "roc.png"
CLAIMS = (1.0, 10.0)  # of the mechanism by which the audit audits itself
MORE = ("dm@distiller.ipc=1", "dm@distiller.ipc=50", "dm@distiller.min-records=16",
        "dm@distiller.min-records=32", "dm@distiller.min-records=128")  # fmt: skip
QUICK = Extent(
    seeds=1,
    shadows=6,
    shadowed=(RAW, *ROUNDS, "dm", "dp-moments-epsilon-1"),
    batches=(1, 4),
    inversion_steps=150,
)
WHOLE = Extent(seeds=3, shadows=16, shadowed=(), batches=(1, 4, 16), inversion_steps=1000)


def audit(
    cfg: Config,
    *,
    names: Sequence[str],
    canaries: int,
    extent: Extent,
    folder: Path,
    say: Say,
    processes: int = 1,
) -> Outcome:
    """Attack every target, and write figures, page and pictures into `folder` as it goes.

    Parameters
    ----------
    processes
        That work at once, a thread each. The figures do not depend on how many there are.

    Raises
    ------
    ConfigError
        If a target is unknown.
    DataError
        If the data cannot be read, or has too few records.
    """
    attacked = targets(cfg, names)
    work = Work(cfg=cfg, canaries=canaries, extent=extent, folder=folder)
    _, drawn, known = material(cfg, canaries, 0)
    folder.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(
        about={
            "data": cfg.data.name,
            "records": len(drawn) + len(known.reference),
            "canaries": canaries,
            "seeds": extent.seeds,
        },
        findings=[],
    )
    jobs = [
        Job(target=target.name, seed=seed) for target in attacked for seed in range(extent.seeds)
    ]
    done: dict[Job, Done] = {}
    begun = time.monotonic()
    for job, found in do_all(work, jobs, processes=processes):
        done[job] = found
        left = (time.monotonic() - begun) / len(done) * (len(jobs) - len(done))
        rest = f"; about {human_seconds(left)} left" if left else ""
        say(f"[{len(done)}/{len(jobs)}] {_line(found[0])}{rest}")
        outcome.findings[:] = [done[each][0] for each in jobs if each in done]
        write(outcome, folder)
    if any(target.name == FEDAVG for target in attacked):
        for batch in extent.batches:
            outcome.inversions.append(_inverted(work, batch))
            say(f"gradient inversion of {batch}: PSNR {outcome.inversions[-1].psnr:.1f} dB")
    for epsilon in CLAIMS:
        checks = self_check(epsilon, seed=cfg.seed)
        outcome.checks.extend(checks)
        wrong = [check.fault for check in checks if check.wrong]
        said = f"wrong about {', '.join(wrong)}" if wrong else "right about every mechanism"
        say(f"the self-check at epsilon {epsilon:g}: {said}")
    curves = {job.target: done[job][1] for job in jobs if job.seed == 0}
    draw_roc({name: roc for name, roc in curves.items() if roc is not None}, folder / CURVES)
    write(outcome, folder)
    return outcome


def write(outcome: Outcome, folder: Path) -> None:
    """Replace the figures and the page, each whole."""
    write_atomic(folder / FIGURES, outcome.to_json().encode())
    write_atomic(folder / PAGE, to_markdown(outcome).encode())


def _inverted(work: Work, batch: int) -> Inversion:
    _, drawn, known = material(work.cfg, work.canaries, 0)
    steps = work.extent.inversion_steps
    return inversion_attack(drawn.members, known, batch=batch, steps=steps, seed=0)[0]


def _line(finding: Finding) -> str:
    if finding.failed:
        return f"{finding.name}: no release ({finding.failed})"
    flagged = f"; flagged: {', '.join(finding.flags)}" if finding.flags else ""
    return (
        f"{finding.name}: AUC {finding.auc:.3f} by {finding.best}, epsilon at least "
        f"{finding.epsilon:.2f}{flagged}"
    )
