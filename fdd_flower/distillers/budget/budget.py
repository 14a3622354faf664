"""Filling `distiller.bytes`: how many rows to distil, and the best quality that then fits."""

from __future__ import annotations

from dataclasses import replace

import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import (
    ClassRecords,
    Plan,
    assemble,
    declares,
    packing_of,
    usable_classes,
)
from fdd_flower.distillers.budget.fill import most_a_class, most_rows
from fdd_flower.distillers.budget.trade import best_codec
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.distillers.parts.labels import as_sent
from fdd_flower.errors import DistillError
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import Codec, Tunable, array_bytes

MANY = 10_000  # rows per class that no budget is expected to pass
FINEST, COARSEST = 90, 5  # qualities worth sending
# Records whose mean stands for a row to come. With `trade` a finer quality makes up for too few
# rows. At a fixed one, means of two cost 13 to 28 % more than what `dm` makes of Fashion-MNIST,
# means of four from 4 % less (quality 30) to 4 % more (quality 20).
BLURRED = {"trade": 2, "rows": 4}
SPARE = 0.01  # of the bytes, for what rows gain between the last trip through the codec and the end


def plan_for_bytes(
    data: Split, cfg: DistillerConfig, plan: Plan, *, seed: int, clock: Clock
) -> tuple[DistillerConfig, Plan]:
    """Return settings and plan with the `ipc` and codec that are expected to fill `bytes` best.

    The codec is that of `best_codec`; or with `fill` rows the plan's own, so that all clients code
    alike: a network that sees each class at a quality of its own can learn the traces of the
    codec instead. The size of a set is judged by means of a few records (`BLURRED`), which
    cost about what synthetic rows cost; no record is sent.

    Raises
    ------
    DistillError
        If no class has enough records, or not even the coarsest row of each class fits.
    """
    assert plan.codec is not None  # checked before work starts
    fixed = replace(cfg, ipc=MANY)
    cells = packing_of(cfg, plan.feature_shape, plan.codec).cells
    parts, _ = usable_classes(data, fixed, cells=cells)
    codec = plan.codec
    if cfg.fill == "trade":
        codec = best_codec(parts, cfg, plan, seed=seed, clock=clock)
    rows = most_rows(
        lambda count: _size(parts, count, cfg, plan, codec),
        most=most_a_class(parts, codec, plan),
        target=cfg.bytes,
    )
    if not rows:
        codec = _coarsest(codec)
        if _size(parts, 1, cfg, plan, codec) > cfg.bytes:
            raise _no_room(cfg.bytes)
    return replace(cfg, ipc=max(1, rows)), replace(plan, codec=codec)


def _size(
    parts: list[ClassRecords], rows: int, cfg: DistillerConfig, plan: Plan, codec: Codec
) -> int:
    inputs, packing = [], packing_of(cfg, plan.feature_shape, codec)
    real = cfg.fill == "rows" and declares(cfg.name, "sends_real")
    blurred = 1 if real else BLURRED[cfg.fill]
    for part in parts:
        count = min(rows, part.rows) * packing.cells
        order = torch.arange(blurred * count, device=part.inputs.device) % len(part.inputs)
        few = part.inputs[order].view(count, blurred, *part.inputs.shape[1:])
        inputs.append(packing.pack(few.mean(dim=1)))
    synthetic = as_sent(assemble(parts, inputs, len(plan.classes), {}), cfg)
    return array_bytes(codec.encode(synthetic))


def refit(cfg: DistillerConfig, synthetic: SyntheticSet, codec: Codec) -> Codec:
    """Return `codec` at the finest quality at which the rows, as they are by now, fit `bytes`.

    A little room is left for what changes until the end. Where not even the coarsest fits, the
    codec stays, and rows will go; so does one without qualities.
    """
    if not isinstance(codec, Tunable):
        return codec
    room = int(cfg.bytes * (1 - SPARE))
    return _finest(as_sent(synthetic, cfg), codec, room) or codec


def fit(
    synthetic: SyntheticSet, codec: Codec, *, max_bytes: int, keep_quality: bool = False
) -> tuple[SyntheticSet, Codec]:
    """Return a set and a codec whose arrays together take at most `max_bytes`.

    A codec with a quality gets the highest that fits, from 5 to 90. Where even the lowest does
    not fit, or there is none, rows go, of the largest class first.

    Parameters
    ----------
    keep_quality
        Rows were optimised as this codec shows them, or all clients code alike: as long as there
        are enough, they go and its quality stays.

    Raises
    ------
    DistillError
        If one row per class does not fit.
    """
    if keep_quality:
        kept = _shortened(synthetic, codec, max_bytes)
        if kept is not None:
            return kept, codec
    finest = _finest(synthetic, codec, max_bytes)
    if finest is not None:
        return synthetic, finest
    kept = _shortened(synthetic, _coarsest(codec), max_bytes)
    if kept is None:
        raise _no_room(max_bytes)
    return kept, _finest(kept, codec, max_bytes) or _coarsest(codec)


def _coarsest(codec: Codec) -> Codec:
    return codec.at_quality(COARSEST) if isinstance(codec, Tunable) else codec


def _no_room(max_bytes: int) -> DistillError:
    return DistillError(
        "distiller.bytes",
        expected="room for one row per class",
        got=max_bytes,
        remedy="Raise distiller.bytes, or choose the codec webp or avif.",
    )


def _finest(synthetic: SyntheticSet, codec: Codec, max_bytes: int) -> Codec | None:
    if not isinstance(codec, Tunable):
        return codec if array_bytes(codec.encode(synthetic)) <= max_bytes else None
    low, high = COARSEST - 1, FINEST
    while low < high:
        middle = (low + high + 1) // 2
        if array_bytes(codec.at_quality(middle).encode(synthetic)) <= max_bytes:
            low = middle
        else:
            high = middle - 1
    return codec.at_quality(low) if low >= COARSEST else None


def _shortened(synthetic: SyntheticSet, codec: Codec, max_bytes: int) -> SyntheticSet | None:
    """Return the set without the rows that do not fit; None where one row per class does not."""
    while (size := array_bytes(codec.encode(synthetic))) > max_bytes:
        if int(torch.bincount(synthetic.labels).max()) == 1:
            return None
        synthetic = _without_some(synthetic, int(len(synthetic) * (1 - max_bytes / size)))
    return synthetic


def _without_some(synthetic: SyntheticSet, wanted: int) -> SyntheticSet:
    """Return the set without `wanted` rows, at least one, of the largest classes.

    They go from all over a class, whose weight the others take over; its last row stays.
    """
    rng, labels = torch.Generator().manual_seed(0), synthetic.labels
    turns = torch.zeros_like(labels)
    members = [torch.where(labels == label)[0] for label in labels.unique()]
    for rows in members:
        turns[rows] = torch.randperm(len(rows), generator=rng).to(turns.device)
    last = turns.argsort(descending=True, stable=True)[: max(1, wanted)]
    kept = torch.ones_like(labels, dtype=torch.bool)
    kept[last[turns[last] > 0]] = False
    weights = synthetic.weights.clone()
    for rows in members:
        weights[rows] *= weights[rows].sum() / weights[rows[kept[rows]]].sum()
    return replace(
        synthetic,
        inputs=synthetic.inputs[kept],
        targets=synthetic.targets[kept],
        weights=weights[kept],
    )
