"""What the kinds of a finishing round have in common."""

from __future__ import annotations

import statistics
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from flwr.app import ArrayRecord
from torch import Tensor

from fdd_flower.config import Config
from fdd_flower.distillers.base import Plan
from fdd_flower.models.base import Network
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.finish.sums import Sums

# Nobody can check a count that a client claims. Those of uneven federations stay within this
# factor of the median.
MOST_RECORDS = 100


class Finish(ABC):
    """What clients get in a finishing round, what they send, and what the model learns from it.

    Attributes
    ----------
    did
        What the server then says it did, before "of N clients".
    before
        What `read` made of the replies of the round before, if that was a finishing one too.
    """

    did: str

    def __init__(
        self,
        cfg: Config,
        plan: Plan,
        model: Network,
        before: Sequence[Mapping[str, Tensor]] = (),
    ) -> None:
        self.cfg, self.plan, self.model, self.before = cfg, plan, model, before

    @abstractmethod
    def check(self) -> None:
        """Check that the run's model can be finished so.

        Raises
        ------
        ConfigError
            If it cannot.
        """

    @abstractmethod
    def beside(self, model: Network, merged: SyntheticSet) -> Mapping[str, ArrayRecord]:
        """Return what all clients get beside plan and model, as records of the message."""

    @property
    @abstractmethod
    def down(self) -> tuple[int, str]:
        """The most bytes that `beside` takes, and in words what is not in them."""

    @property
    @abstractmethod
    def up(self) -> int:
        """The most bytes that a reply's arrays take."""

    @abstractmethod
    def read(self, record: ArrayRecord) -> dict[str, Tensor]:
        """Return the arrays of a reply as the ledger keeps them.

        Raises
        ------
        RefusedError
            If they are malformed, or nothing that an honest client could send.
        """

    @abstractmethod
    def learn(
        self, model: Network, merged: SyntheticSet, parts: Sequence[Mapping[str, Tensor]]
    ) -> None:
        """Change `model` in place by what `read` made of each client's reply."""


def bounded_sums(parts: Sequence[Sums], *, longest: float) -> list[tuple[float, Sums]]:
    """Return sums and what they count for, by `counts`; size is the sum of squared lengths."""
    records = [float(part.records) for part in parts]
    sizes = [float(part.lengths.double().square().sum()) for part in parts]
    return list(zip(counts(records, sizes, longest=longest), parts, strict=True))


def counts(records: Sequence[float], sizes: Sequence[float], *, longest: float) -> list[float]:
    """Return what each client counts for: its records; less, if they or its sums are far off.

    Nobody counts for `MOST_RECORDS` times the records of the median client. And one whose size is
    more than `longest` times the median counts as if it had fewer records, in proportion: what it
    adds to a sum is then no larger than that.
    """
    # the lower of two in the middle: with two clients, not half of the larger one's
    most = MOST_RECORDS * statistics.median_low(records)
    largest = longest * statistics.median_low(sizes)
    return [
        min(count, most) * (largest / size if size > largest else 1.0)
        for count, size in zip(records, sizes, strict=True)
    ]
