"""Utility: what a set adds to a cheap model of all sets, on the root records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from fdd_flower.device import wide
from fdd_flower.rng import stream
from fdd_flower.scoring.base import Evidence, Finding
from fdd_flower.scoring.root import Root
from fdd_flower.scoring.shapley import shapley_values, total
from fdd_flower.training.ridge import Gram, solve_gram

FEW = 20  # clients up to which each is left out; more are sampled


def utility(evidence: Evidence) -> dict[str, Finding]:
    """Return what each client's set adds to `Game.value`; below 0 where it harms.

    Up to 20 clients by leaving one out: the value of all sets minus that of all others. With more,
    one among many adds next to nothing, and it is the Shapley value, sampled and truncated
    (`shapley_values`). Suspect at 0 and below, which many an honest set is too: this says nothing
    alone.
    """
    game = Game.of(evidence)
    clients = list(evidence.parts)
    if len(clients) <= FEW:
        values = leave_one_out(game)
    else:
        rng = stream(evidence.seed, "scoring", "shapley")
        values = shapley_values(clients, game, rng=rng)
    return {client: _finding(values[client]) for client in clients}


def _finding(value: float) -> Finding:
    return Finding(value, value <= 0, f"its utility is {value:.3g}" if value <= 0 else "")


@dataclass(frozen=True, slots=True)
class Game:
    """Ridge regression on sets of clients, from sums that add and subtract.

    Every row counts once: what its client says it stands for is not believed here.

    Attributes
    ----------
    features, targets
        By client: (n, d) and (n, k), float64.
    """

    features: Mapping[str, Tensor]
    targets: Mapping[str, Tensor]
    root: Root

    @classmethod
    def of(cls, evidence: Evidence) -> Game:
        """Return the game of a round's sets."""
        return cls(
            {client: wide(part.features) for client, part in evidence.parts.items()},
            {client: wide(part.targets) for client, part in evidence.parts.items()},
            evidence.root,
        )

    def sums(self, client: str) -> Gram:
        """Return a client's sums over its rows."""
        return Gram.of(self.features[client], self.targets[client])

    def rows(self, client: str) -> int:
        """Return how many rows a client has."""
        return len(self.features[client])

    def value(self, sums: Gram | None, rows: int) -> float:
        """Return `explained` by `rows` summed rows; 0 of no rows."""
        return 0.0 if sums is None or rows == 0 else explained(self.root, sums, rows)


def explained(root: Root, sums: Gram, rows: int) -> float:
    """Return the share of the root records' one-hot targets that sets explain, up to 1.

    1 - sum |y - f c|^2 / sum |y|^2, of the ridge coefficients c of `rows` summed rows. Below 0
    where a model is worse than none.
    """
    wrong = root.targets - root.features @ solve_gram(sums, rows)
    return float(1 - wrong.square().sum() / root.targets.square().sum())


def leave_one_out(game: Game) -> dict[str, float]:
    """Return by client the value of all minus that of all others: a subtraction and a solve."""
    clients = list(game.features)
    whole, rows = total(game, clients)
    full = game.value(whole, rows)
    return {
        client: full - game.value(whole - game.sums(client), rows - game.rows(client))
        for client in clients
    }
