"""What of an accuracy is the set's merit, and what its recipe's: IOR and HLR.

Source: DD-Ranking (arXiv:2505.13300; https://github.com/NUS-HPC-AI-Lab/DD-Ranking):
IOR = acc(syn-any) - acc(rdm-any), HLR = acc(real-hard) - acc(syn-hard). Differs: random records
are those of equal bytes, and not of equal count; they are trained on under the same recipe, where
DD-Ranking searches their learning rate; accuracies are those at the end of training, where
DD-Ranking takes the best one on the test records; shares and not per cent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fdd_flower.bench.distil.settings import BASELINES
from fdd_flower.bench.rows import DISTILLED, FULL, Key, Row, baseline_key


def improvement_over_random(synthetic: float, random: float) -> float:
    """Return IOR: what a set adds to random records of equal bytes; above 0 is good."""
    return synthetic - random


def hard_label_recovery(full: float, synthetic_hard: float) -> float:
    """Return HLR: what a set with hard labels lacks of all records; near 0 is good."""
    return full - synthetic_hard


def scored(rows: Sequence[Row]) -> list[Row]:
    """Return `rows` with the baselines, IOR and HLR of each distilled one, as far as known."""
    known = {row.key: row for row in rows}
    full = {(row.model, row.seed): row.accuracy for row in rows if row.kind == FULL}
    return [_scored(row, known, full) if row.kind == DISTILLED else row for row in rows]


def _scored(row: Row, known: dict[Key, Row], full: dict[tuple[str, int], float | None]) -> Row:
    beside, by_metric = {}, {}
    if row.bytes is not None:
        rest = (row.bytes, row.quality, row.seed, row.model)
        found = {name: known.get(baseline_key(name, *rest)) for name in BASELINES}
        beside = {name: one.accuracy if one else None for name, one in found.items()}
        if row.metric != "accuracy":
            by_metric = {name: one.value if one else None for name, one in found.items()}
    random, everything = beside.get("random"), full.get((row.model, row.seed))
    ior = hlr = None
    if row.accuracy is not None and random is not None:
        ior = improvement_over_random(row.accuracy, random)
    if row.accuracy_hard is not None and everything is not None:
        hlr = hard_label_recovery(everything, row.accuracy_hard)
    return replace(row, baselines=beside, baselines_by_metric=by_metric, ior=ior, hlr=hlr)
