"""The remaining rounds: a strategy that continues where an earlier process stopped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from torch import Tensor

from fdd_flower.synthetic_set import SyntheticSet


@runtime_checkable
class Resumable(Protocol):
    """A strategy that carries the sets of a round to the next one."""

    def resume(self, server_round: int, parts: Mapping[str, SyntheticSet]) -> None:
        """Take up what was there after `server_round`, whose sets by client are `parts`."""
        ...


@runtime_checkable
class Stateful(Protocol):
    """A strategy that carries tensors from round to round, which the checkpoint then holds."""

    def state(self) -> dict[str, Tensor]:
        """Return the tensors by name; those of one moment between two rounds."""
        ...

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` returned."""
        ...


class ResumedStrategy(Strategy):
    """`strategy` with its first `done` rounds behind it.

    `Strategy.start` counts rounds from 1, and nothing can tell it otherwise. So it counts the
    rounds that are left, and `strategy` hears the numbers they have in the run.
    """

    def __init__(self, strategy: Strategy, *, done: int) -> None:
        self.strategy, self.done = strategy, done

    def summary(self) -> None:
        """Log what the strategy logs."""
        self.strategy.summary()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask the strategy."""
        return self.strategy.configure_train(server_round + self.done, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Ask the strategy."""
        return self.strategy.aggregate_train(server_round + self.done, replies)

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask the strategy."""
        return self.strategy.configure_evaluate(server_round + self.done, arrays, config, grid)

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Ask the strategy."""
        return self.strategy.aggregate_evaluate(server_round + self.done, replies)
