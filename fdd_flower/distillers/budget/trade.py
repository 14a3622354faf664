"""Quality against number of images under `distiller.bytes`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.base import ClassRecords, Plan, assemble, packing_of
from fdd_flower.distillers.budget.fill import most_a_class, most_rows
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.distillers.parts.labels import as_sent
from fdd_flower.distillers.parts.views import embed, random_view
from fdd_flower.rng import stream
from fdd_flower.wire.codecs.base import Codec, array_bytes, tunes

QUALITIES = (10, 15, 20, 30, 45, 65, 90)
RESOLUTIONS = (16, 12, 8, 6, 4, 3, 2, 1)  # sixteenths of a side
FAR = 2.0  # times the best distance so far: qualities at a resolution that begins there are left
TELLING = 4  # records of a class: both halves then have two
JUDGED = 4  # classes that a trade is judged by
SEEN = 500  # records of a class, and images for them, that a trade is judged by
SHARE_TO_TRADE = 0.1  # of the time budget


def best_codec(
    parts: Sequence[ClassRecords], cfg: DistillerConfig, plan: Plan, *, seed: int, clock: Clock
) -> Codec:
    """Return the plan's codec at the quality and resolution that fill `distiller.bytes` best.

    As many records as fit at each stand for the rows to come, and the best are those whose features
    under a seeded network are nearest to the features of other records, by energy distance
    (Szekely and Rizzo, J. Stat. Plan. Inference 143, 2013). It asks for many images as for true
    ones, and for no contrast between classes. Nothing but the choice leaves this function.

    A codec that has no quality for such records leaves nothing to choose. Classes of a few records,
    which have no distance between each other, have no say.
    """
    codec = plan.codec
    assert codec is not None  # checked before work starts
    if not tunes(codec, plan.feature_shape):
        return codec
    told = [part for part in parts if len(part.inputs) >= TELLING] or list(parts)
    judged = told[:: -(-len(told) // JUDGED)]
    share = replace(cfg, bytes=cfg.bytes * len(judged) // len(told))
    judge = Judge(judged, share, plan, seed=seed)
    started, done = clock.elapsed, 0
    best, nearest, place = codec, math.inf, len(QUALITIES) // 2
    for resolution in RESOLUTIONS:
        at = [codec.at_resolution(resolution).at_quality(quality) for quality in QUALITIES]
        tried: dict[int, float] = {}
        ahead = [place]
        while ahead:
            here = ahead.pop()
            if here in tried or not 0 <= here < len(at):
                continue
            if not clock.may_prepare(done, started, share=SHARE_TO_TRADE):
                return best
            tried[here] = judge.distance(at[here])
            done += 1
            if tried[here] > FAR * nearest:
                break
            if tried[here] <= min(tried.values()):
                place, ahead = here, [here + 1, here - 1]
        if tried[place] >= nearest < math.inf:
            break
        best, nearest = at[place], tried[place]
    return best


class Judge:
    """Measures what is left of a client's records at a codec and `distiller.bytes`."""

    def __init__(
        self, parts: Sequence[ClassRecords], cfg: DistillerConfig, plan: Plan, *, seed: int
    ) -> None:
        plain = replace(cfg, pool="random-features", augment=False)
        self._device = device = parts[0].inputs.device
        self._cfg, self._plan = cfg, plan
        self._view = random_view(plain, plan, 0, device=device)
        self._packing = packing_of(cfg, plan.feature_shape, plan.codec)
        self._parts = parts
        orders = [
            torch.randperm(len(p.inputs), generator=stream(seed, "trade", p.label)).to(device)
            for p in parts
        ]
        # the first ones are coded, and those of the last half compared with: from two records an
        # image on (`distiller.min-records`), never the same ones
        self._seen = [
            embed(self._view, p.inputs[order[-max(1, min(SEEN, len(order) // 2)) :]])
            for p, order in zip(parts, orders, strict=True)
        ]
        self._orders = orders

    def distance(self, codec: Codec) -> float:
        """Return the mean energy distance over classes; infinite if not one row per class fits."""
        classes, coded = len(self._plan.classes), {}

        def size(rows: int) -> int:
            part = assemble(list(self._parts), self._rows(rows), classes, {})
            coded[rows] = codec.encode(as_sent(part, self._cfg))
            return array_bytes(coded[rows])

        most = most_a_class(self._parts, codec, self._plan)
        rows = most_rows(size, most=most, target=self._cfg.bytes)
        if rows == 0:
            return math.inf
        sent = codec.decode(
            coded[rows], feature_shape=self._plan.feature_shape, num_classes=classes
        )
        found = sent.inputs.to(self._device).split([min(rows, part.rows) for part in self._parts])
        distances = [
            energy_distance(seen, embed(self._view, images[:SEEN]), count=len(images))
            for seen, part in zip(self._seen, found, strict=True)
            for images in [self._packing.images(part)]
        ]
        return sum(distances) / len(distances)

    def _rows(self, rows: int) -> list[Tensor]:
        packed = []
        for part, order in zip(self._parts, self._orders, strict=True):
            count = min(rows, part.rows) * self._packing.cells
            places = torch.arange(count, device=self._device) % len(order)
            packed.append(self._packing.pack(part.inputs[order[places]]))
        return packed


def energy_distance(real: Tensor, found: Tensor, *, count: int) -> float:
    """Return the energy distance of `count` points, of which `found` (m, d) are some, from `real`.

    Relative to the mean distance between two of `real` (n, d). The fewer points, the farther: each
    is at no distance from itself.
    """
    between = float(torch.cdist(real, found).mean())
    within = _mean_apart(real)
    own = _mean_apart(found) * (1 - 1 / count)
    return (2 * between - within - own) / max(within, 1e-12)


def _mean_apart(points: Tensor) -> float:
    """Return the mean distance of two different ones of `points` (n, d); 0 for one."""
    n = len(points)
    return float(torch.cdist(points, points).sum()) / max(1, n * (n - 1))
