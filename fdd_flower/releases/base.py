"""What a private mode releases: one bounded vector a record, summed, with noise."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fdd_flower.config import Config
from fdd_flower.data.base import Split
from fdd_flower.data.large import by_class
from fdd_flower.device import HOST, on_host
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import ConfigError
from fdd_flower.models.base import Network
from fdd_flower.privacy.mechanism import Mechanism, whole
from fdd_flower.privacy.noise import Noise, discrete_gaussian
from fdd_flower.registry import Registry
from fdd_flower.releases.coding import (
    MOST_BITS,
    Coding,
    bits_of,
    coarse,
    held,
    room_of,
    shift_of,
)
from fdd_flower.schema import is_image
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.teachers import Teacher

GRID = 2**18  # steps of the unit: even entries of a vector of a million numbers keep a digit
COUNT = 0.3  # what a record adds to the count of its class, out of a vector of norm 1
PRESENT = 2.0  # noises that the count of a class must be above, for it to be there
TILE = 64  # records in one pass
NUMBERS = 2**22  # of records' vectors, held at once


@dataclass(frozen=True, slots=True)
class Total:
    """What releases add up to.

    Attributes
    ----------
    values
        float64 (size,), in units of the norm that a record's vector has at most.
    noise
        Standard deviation of the noise in each number, float64 (size,).
    """

    values: Tensor
    noise: Tensor

    def __add__(self, other: Total) -> Total:
        return Total(self.values + other.values, (self.noise**2 + other.noise**2).sqrt())


def in_tiles(told: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Return what `told` says of records, always of `TILE` at once.

    The last bits of a product may follow its shape: so a record gives the same ones whatever
    number of records is beside it.
    """
    found = []
    for tile in inputs.split(TILE):
        blank = tile.new_zeros(TILE - len(tile), *tile.shape[1:])
        found.append(told(torch.cat([tile, blank]))[: len(tile)])
    return torch.cat(found)


def public_range(plan: Plan) -> tuple[Tensor, Tensor]:
    """Return the least and largest inputs that a record can have, to broadcast; infinite: unknown.

    Known of images, whose units are from 0 to 1.
    """
    norm = plan.normalisation
    if not (is_image(plan.feature_shape) and norm.of_unit_range):
        return torch.tensor(-math.inf), torch.tensor(math.inf)
    mean, std = torch.tensor(norm.mean).view(-1, 1, 1), torch.tensor(norm.std).view(-1, 1, 1)
    return -mean / std, (1 - mean) / std


def worth_adding(counts: Tensor) -> Tensor:
    """Return whose releases to add for each class, bool (clients, k), by noisy counts of records.

    All clients add as much noise, and one without records of a class nothing else. So the
    clients with the most records of a class are taken, as many as make their sum largest over its
    noise.
    """
    ordered, places = counts.sort(dim=0, descending=True)
    members = torch.arange(1, len(counts) + 1, dtype=counts.dtype)[:, None]
    best = (ordered.cumsum(dim=0) / members.sqrt()).argmax(dim=0)
    kept = torch.arange(len(counts))[:, None] <= best
    return torch.zeros_like(kept).scatter(0, places, kept)


class Release(ABC):
    """A mode of `privacy.mode`: what is summed, and how rows are drawn from the sum.

    A record's vector has a block of `block` numbers, which lies at its class's place, and
    `shared` numbers, which lie at the same place whatever the class: so a record moves the whole
    by at most the norm of its vector, 1. All classes of the federation have a block, whoever has
    records of them.

    Records are seen by `vectors`, `each`, `whole_sum` and `sum` alone; the rest is the server's.
    """

    block: int
    shared: int = 0
    uses: ClassVar[tuple[str, ...]] = ()  # settings that not every mode has, and this one does

    def __init__(self, cfg: Config, plan: Plan, device: torch.device = HOST) -> None:
        self.cfg, self.plan, self.device = cfg, plan, device

    @property
    def classes(self) -> int:
        """Classes of the federation."""
        return len(self.plan.classes)

    @property
    def size(self) -> int:
        """Numbers of a release."""
        return self.classes * self.block + self.shared

    @property
    def seeds(self) -> int:
        """Random networks that records are shown to."""
        return 0

    @property
    def unit(self) -> int:
        """Steps of a norm of 1 in `sum`."""
        return GRID

    @property
    def spread(self) -> Tensor:
        """Noise of each number over that of a norm of 1: float64, (size,) or of all."""
        return torch.ones((), dtype=torch.float64)

    @property
    def at_once(self) -> int:
        """Records that are summed at once."""
        return max(1, NUMBERS // (self.block + self.shared))

    @abstractmethod
    def vectors(self, inputs: Tensor) -> Tensor:
        """Return, of records (n, *feature_shape), the vectors (n, block + shared).

        Each from its record alone; what is longer than 1 is clipped.
        """

    @abstractmethod
    def counts(self, total: Total) -> Tensor:
        """Return the noisy records of each class, float64 (k,)."""

    @abstractmethod
    def count_noise(self, total: Total) -> Tensor:
        """Return the standard deviation of the noise in `counts`, float64 (k,)."""

    def present(self, total: Total) -> Tensor:
        """Return which classes there are records of, as far as noise lets see: bool (k,)."""
        return self.counts(total) > PRESENT * self.count_noise(total)

    def only(self, total: Total, there: Tensor) -> Total:
        """Return `total` with the blocks of the classes `there` alone, bool (k,)."""
        keep = torch.cat([there.repeat_interleave(self.block), there.new_ones(self.shared)])
        return Total(total.values * keep, total.noise * keep)

    @abstractmethod
    def learn(self, total: Total, *, rng: torch.Generator) -> Learned:
        """Return what the sum says, from which rows are drawn."""

    def sum(self, data: Split, *, most: int = 1) -> Tensor:
        """Return the sum over a client's records: int64 (size,), a norm of 1 in `unit` steps.

        Parameters
        ----------
        most
            Records that a subject may have: each counts as 1 / `most` of one.
        """
        total = torch.zeros(self.classes, self.block, dtype=torch.int64)
        shared = torch.zeros(self.shared, dtype=torch.int64)
        held = by_class(data.inputs, data.labels, self.classes)
        for label, inputs in enumerate(held):
            for part in inputs.split(self.at_once) if len(inputs) else ():
                with torch.no_grad():
                    found = on_host(self.whole_sum(part, most))
                total[label] += found[: self.block]
                shared += found[self.block :]
        return torch.cat([total.flatten(), shared])

    def each(self, inputs: Tensor, most: int) -> Tensor:
        """Return what each record adds, int64 (n, block + shared), if it counts as 1 / `most`."""
        return whole(self.vectors(inputs), GRID, parts=most**2)

    def whole_sum(self, inputs: Tensor, most: int) -> Tensor:
        """Return the sum over records of one class, int64 (block + shared,), each of 1 / `most`."""
        return self.each(inputs, most).sum(dim=0)

    def noisy(self, total: Tensor, sigma: float, noise: Noise = discrete_gaussian) -> Tensor:
        """Return `total` with noise, int64 (size,) on the CPU; every call is a release.

        Parameters
        ----------
        sigma
            Noise multiplier.
        noise
            Other than the operating system's in tests only.
        """
        spread = self.spread.expand(self.size)
        out = torch.empty_like(total)
        for value in spread.unique().tolist():
            here = spread == value
            mechanism = Mechanism(self.unit, sigma * value, noise)
            out[here] = mechanism.release(total[here])
        return out

    def sent(
        self, total: Tensor, sigma: float, coding: Coding, noise: Noise = discrete_gaussian
    ) -> Tensor:
        """Return `total` as it is sent: cut off, with noise, rounded; see `noisy` and `coding`."""
        return coarse(self.noisy(held(total, coding), sigma, noise), coding.shift)

    def coding(self, sigma: float, own: float = 0.0) -> Coding:
        """Return how numbers with noise `sigma` are sent.

        Parameters
        ----------
        sigma
            Noise multiplier by which all clients round.
        own
            That of the client's noise, where it is more than `sigma`.

        Raises
        ------
        ConfigError
            If `privacy.most-records` would take more than `MOST_BITS`.
        """
        shift = shift_of(sigma, self.unit, self.spread)
        room = room_of(max(sigma, own), self.unit, self.spread)
        bits = bits_of(shift, self.unit, self.cfg.privacy.most_records, room)
        if bits > MOST_BITS:
            raise ConfigError(
                "privacy.most-records",
                expected=f"few enough for numbers of {MOST_BITS} bits, at a noise of {sigma:.3g}",
                got=f"{self.cfg.privacy.most_records}, which takes {bits}",
                remedy="Lower it, or ask for more noise.",
            )
        return Coding(shift, bits, room)

    def blocks(self, values: Tensor) -> Tensor:
        """Return the classes' blocks (k, block) of numbers (size,)."""
        return values[: self.classes * self.block].view(self.classes, self.block)


class Learned(ABC):
    """The parameters that a release gives: the set itself, of which rows are draws."""

    @abstractmethod
    def draw(self, rows: int, *, rng: torch.Generator) -> SyntheticSet:
        """Return a fresh draw of `rows` rows, at no cost of privacy."""

    def teacher(self) -> Teacher | None:
        """Return a model that the parameters give by themselves; None where they give none."""
        return None

    def solve(self, model: Network) -> bool:
        """Set the weights of `model` from the parameters; False where they do not give them."""
        return False


RELEASES: Registry[type[Release]] = Registry(
    "privacy", "fdd_flower.releases", helpers=("coding", "matched", "terms", "triangle")
)


def release_of(cfg: Config, plan: Plan, device: torch.device = HOST) -> Release:
    """Return what the clients of a run release."""
    return RELEASES.get(cfg.privacy.mode)(cfg, plan, device)
