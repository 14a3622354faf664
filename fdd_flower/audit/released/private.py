"""What a private mode sends: a noisy sum of one vector a record, and the rows drawn from it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fdd_flower.audit.protocol import Known
from fdd_flower.audit.released.base import reduced
from fdd_flower.audit.released.rows import Rows
from fdd_flower.audit.sums.regression import regression_scores
from fdd_flower.audit.sums.trace import calibrated
from fdd_flower.config import Config
from fdd_flower.data.base import Split
from fdd_flower.device import on_host
from fdd_flower.privacy.noise import Noise, discrete_gaussian
from fdd_flower.releases.base import COUNT, NUMBERS, Release, Total, release_of
from fdd_flower.releases.coding import pack, units, unpack
from fdd_flower.releases.dp_moments import Moments
from fdd_flower.releases.dp_sketch import Gram
from fdd_flower.releases.triangle import Triangle
from fdd_flower.rng import stream
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.ridge import Gram as Sums

DRAWN = 100  # rows of each class: they are free, and a server draws thousands
WIDEST = 2500  # of a vector of the generic attacks: a sketch of it would double the noise


class PrivateSum:
    """One client's release under `privacy.mode`, as the server has it.

    Vectors and sums are in units in which the noise of every number is the same: so they are
    exactly what the mechanism's guarantee is about.

    Parameters
    ----------
    cfg
        With a private mode.
    sigma
        Noise multiplier.
    noise
        Other than the operating system's in tests only.
    """

    by_class = True
    rows: SyntheticSet | None

    def __init__(
        self,
        records: Split,
        known: Known,
        cfg: Config,
        sigma: float,
        *,
        seed: int,
        noise: Noise = discrete_gaussian,
    ) -> None:
        self._known, self.noise = known, sigma
        self._release = release = release_of(cfg, known.plan)
        self._spread = release.spread.expand(release.size)
        self._tile = max(1, NUMBERS // (release.block + release.shared))
        coding = release.coding(sigma)  # as a client sends it
        sent = pack(release.sent(release.sum(records), sigma, coding, noise), coding.bits)
        values = units(unpack(sent, release.size), coding.shift, release.unit)
        rng = stream(seed, "drawn")
        self._total = total = Total(values, sigma * self._spread)
        self.rows = release.learn(total, rng=rng).draw(DRAWN * release.classes, rng=rng)
        self._expected, self._beyond = self._split(values)

    def vectors(self, records: Split) -> Tensor:
        """Return what each record adds, (n, d)."""
        parts = records.inputs.split(self._tile)
        return torch.cat([reduced(self._added(part), WIDEST) for part in parts])

    def observed(self) -> Tensor:
        """Return the noisy sums, (k, d), each with its share of the numbers that all classes share.

        That is the shared sum less what the records of the other classes are expected to add.
        """
        return reduced(self._expected + self._beyond, WIDEST)

    def scores(self, records: Split, *, learned: bool = True) -> dict[str, Tensor]:
        """Return the trace in all numbers of the sum, and how the drawn rows tell.

        For noise alone this trace is the log-likelihood ratio. An attacker who knows all other
        records could solve for members instead, as `attributes.solved` does for bits.
        """
        assert self.rows is not None
        reference = self._known.reference
        found = Rows(self.rows, self._known).scores(records, learned=learned)
        own, others = self._trace(records), self._trace(reference)
        found["sum"] = calibrated(own, records.labels, others, reference.labels)
        return found | self._regression(records)

    def _regression(self, records: Split) -> dict[str, Tensor]:
        """Return what the products of features tell, in modes that sum them."""
        release, reference = self._release, self._known.reference
        told = _products(release, self._total)
        if told is None:
            return {}
        sums, noise = told
        with torch.no_grad():
            seen = [(release.vectors(each.inputs), each.labels) for each in (records, reference)]
        count = float(release.counts(self._total).sum().clamp_min(1))
        found = regression_scores(sums, *seen, count=count, noise=noise)
        return {f"sum-{name}": score for name, score in found.items()}

    def _trace(self, records: Split) -> Tensor:
        parts = zip(records.inputs.split(self._tile), records.labels.split(self._tile), strict=True)
        return torch.cat([(self._added(x) * self._beyond[y]).sum(1) for x, y in parts])

    def _added(self, inputs: Tensor) -> Tensor:
        release = self._release
        with torch.no_grad():
            whole = on_host(release.each(inputs, 1))
        return (whole / (release.unit * self._block_spread)).float()

    @property
    def _block_spread(self) -> Tensor:
        """Return the spread of what one record adds, (block + shared,): every class's is alike."""
        release = self._release
        return torch.cat(
            [self._spread[: release.block], self._spread[release.classes * release.block :]]
        )

    def _split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return what as many records of the population add as fit best, and what is left, (k, d).

        The numbers that all classes share are in each row, less what the other classes add.
        """
        release, reference = self._release, self._known.reference
        even = values / self._spread
        blocks, shared = release.blocks(even), even[release.classes * release.block :]
        means = torch.zeros(release.classes, release.block + release.shared, dtype=torch.float64)
        for label in range(release.classes):
            own = reference.labels == label
            if bool(own.any()):
                found = release.sum(reference.take(own)) / (release.unit * self._spread)
                held = release.blocks(found)[label], found[release.classes * release.block :]
                means[label] = torch.cat(held) / int(own.sum())
        fitting = means[:, : release.block]
        counts = (blocks * fitting).sum(1) / fitting.square().sum(1).clamp_min(1e-12)
        expected = counts[:, None] * means
        left = shared - expected[:, release.block :].sum(0)
        beyond = torch.cat([blocks, left.expand(release.classes, -1)], dim=1)
        beyond[:, : release.block] -= expected[:, : release.block]
        return expected.float(), beyond.float()


def _products(release: Release, total: Total) -> tuple[Sums, float] | None:
    """Return sums of u u' and of u y', and about the largest eigenvalue of the noise in the first.

    None: the mode sums no products.
    """
    if isinstance(release, Moments):
        full = release.products.matrices(release.blocks(total.values))
        sums = Sums(full.sum(0), full[:, :, -1].T / COUNT)
        noise = total.noise[-1] * math.sqrt(release.classes)
    elif isinstance(release, Gram):
        full = release.products.matrices(total.values[release.classes * release.block :])
        sums = Sums(full, release.blocks(total.values).T)
        noise = total.noise[-1]
    else:
        return None
    return sums, float(Triangle.edge(noise, len(sums.features)))
