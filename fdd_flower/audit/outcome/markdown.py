"""An audit as Markdown: a table a person reads, with what it can and cannot say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean

from fdd_flower.audit.outcome.rows import Finding, Outcome

HEAD = (
    "target", "rows", "AUC", "TPR at 1 % FPR", "nearest AUC", "copies", "epsilon at least",
    "posterior", "shadow AUC", "hidden bit", "subject", "flagged",
)  # fmt: skip
NOTES = """
- **AUC**, **TPR at 1 % FPR**: of the best of all scores that tell members; 0.5 and 0.01 by chance.
  With several scores on one release the best lies above that by luck: by about 0.02 at 1,000
  canaries.
- **nearest AUC**: of the distance to the nearest row alone. **copies**: share of the rows that are
  a record of the client, within a tenth of the usual distance between neighbours.
- **epsilon at least**: lower bound at 95 % from this one run, over all scores. A bound of 0 shows
  no privacy: the attacks were not good enough to show a lack of it. **posterior**: 95 % credible
  interval of the epsilon that the best score's guesses show.
- **shadow AUC**: likelihood ratios from other releases of the same pool. **hidden bit**: AUC of a
  secret patch in each record. **subject**: AUC of who took part, by 8 records in 2 clients.
- **flagged**: the bound is above what the target claims; or it has copies and does not say so.
"""
CHECKS = (
    "The discrete Gaussian mechanism of this package, as it is and broken on purpose, with\n"
    "canaries of full length: the lower bound at 95 % of its epsilon against what it claims\n"
    "(delta 1e-5)."
)


def to_markdown(outcome: Outcome) -> str:
    """Return a page with the means over seeds."""
    about = ", ".join(f"{key} {value}" for key, value in outcome.about.items() if key != "settings")
    lines = ["# Privacy audit", "", about, "", *table(outcome.findings), NOTES]
    if outcome.inversions:
        lines += ["## Gradient inversion of a FedAvg step", "", *_inversions(outcome), ""]
    if outcome.checks:
        lines += ["## The audit audits itself", "", CHECKS, "", *_checks(outcome), ""]
    failed = {finding.name: finding.failed for finding in outcome.findings if finding.failed}
    if failed:
        lines += ["## Without a release", ""]
        lines += [f"- {name}: {why}" for name, why in failed.items()]
    return "\n".join(lines).rstrip() + "\n"


def table(findings: Sequence[Finding]) -> list[str]:
    """Return the lines of the table, a target each: means over its seeds."""
    by_name: dict[str, list[Finding]] = {}
    for finding in findings:
        if not finding.failed:
            by_name.setdefault(finding.name, []).append(finding)
    rows = [cells(name, found) for name, found in by_name.items()]
    return [f"| {' | '.join(row)} |" for row in [HEAD, ["---"] * len(HEAD), *rows]]


def cells(name: str, found: Sequence[Finding]) -> list[str]:
    """Return what the table says of one target."""
    flags = sorted({flag for finding in found for flag in finding.flags})
    ends = [f.epsilon_interval for f in found if f.epsilon_interval is not None]
    posterior = " to ".join(f"{mean(each):.2f}" for each in zip(*ends, strict=True)) or "-"
    return [
        name,
        _number([f.rows for f in found], 0),
        _number([f.auc for f in found], 3),
        _number([f.tpr for f in found], 3),
        _number([f.nearest_auc for f in found], 3),
        _number([f.copies and f.copies.copies for f in found], 3),
        _number([f.epsilon for f in found], 2) + _claimed(found[0]),
        posterior,
        _number([f.shadow and f.shadow.auc for f in found], 3),
        _number([f.attributes and f.attributes.auc for f in found], 3),
        _number([f.subjects and f.subjects.auc for f in found], 3),
        "; ".join(flags) or "no",
    ]


def _claimed(finding: Finding) -> str:
    return "" if finding.claim is None else f" (claims {finding.claim.epsilon:g})"


def _number(values: Sequence[float | None], digits: int) -> str:
    known = [value for value in values if value is not None and not math.isnan(value)]
    return f"{mean(known):.{digits}f}" if known else "-"


def _checks(outcome: Outcome) -> list[str]:
    head = ["mechanism", "claims", "epsilon at least", "trials", "flagged"]
    rows = [
        [
            each.fault,
            f"{each.claimed:g}",
            f"{each.found.epsilon:.2f}",
            str(each.found.trials),
            "yes" if each.found.broken else "no",
        ]
        for each in outcome.checks
    ]
    return [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]


def _inversions(outcome: Outcome) -> list[str]:
    rows = [
        [
            str(each.batch),
            f"{each.psnr:.1f}",
            f"{each.psnr_by_chance:.1f}",
            "-" if each.ssim is None else f"{each.ssim:.2f}",
            f"{each.labels:.2f}",
        ]
        for each in outcome.inversions
    ]
    head = ["records in the step", "PSNR, dB", "of the nearest other record", "SSIM", "labels read"]
    return [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]
