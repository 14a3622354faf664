"""The server half of methods whose clients send sums: they add up, also behind masks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import cast

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid
from torch import Tensor

from fdd_flower.ledger import Staging, StoredSets
from fdd_flower.privacy.sharing import LEAST
from fdd_flower.progress_log import say
from fdd_flower.secure_sum.server import SecureRound
from fdd_flower.secure_sum.total import SUM, note_asked, recorded_total, take_up_verdicts
from fdd_flower.server.distillation import FederatedDistillation
from fdd_flower.server.grid import CountingGrid, wait_for_nodes
from fdd_flower.server.judging.replies import arrays_of
from fdd_flower.server.judging.validator import Rules
from fdd_flower.server.side import ServerSide
from fdd_flower.wire.records import to_numpy

# From the arrays of a reply to what the ledger keeps; raises a RefusedError
Reader = Callable[[Mapping[str, np.ndarray]], dict[str, Tensor]]


class Summed(FederatedDistillation):
    """Takes in what clients' records add up to: one by one, or behind masks their total alone."""

    def __init__(self, side: ServerSide) -> None:
        super().__init__(side)
        self.secure: SecureRound | None = None

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Send the plan; for a secure sum, after keys and shares.

        Nobody is asked where the ledger has the sum: a process that was killed had come so far.
        """
        if not self.side.cfg.sketch.secure_sum:
            return super().configure_train(server_round, arrays, config, grid)
        if found := recorded_total(self.side, server_round):
            say(f"round {server_round}: the ledger has the sum, no client is asked")
            cast(CountingGrid, grid).bytes_up += found.bytes
            return []
        cfg = self.side.cfg.strategy
        nodes = wait_for_nodes(
            grid, max(self.least, cfg.min_nodes, cfg.quorum), seconds=cfg.deadline
        )
        self.arrays, self.round = arrays, server_round
        config["server-round"] = server_round
        self.secure = SecureRound(self.side, server_round, grid, config, least=self.least)
        questions = self.secure.begin(nodes, self.model_sent(server_round, arrays))
        note_asked(self.side, server_round, len(questions))
        return questions

    @property
    def least(self) -> int:
        """How many clients must stay in a secure sum."""
        return LEAST

    def model_sent(self, server_round: int, arrays: ArrayRecord) -> ArrayRecord:
        """Return no parameters: sums are of records and of fixed features."""
        return ArrayRecord()

    def take_in(self, server_round: int, replies: Iterable[Message]) -> StoredSets:
        """Judge the replies of a round, and return what is to be added, which the ledger has.

        Raises
        ------
        QuorumError
            If too few replies are usable.
        """
        side = self.side
        if not side.cfg.sketch.secure_sum:
            return self.screened(server_round, self.accepted(server_round, replies))
        if found := recorded_total(side, server_round):
            take_up_verdicts(side, server_round)
            return side.ledger.sets({SUM: found.sha256})
        return side.ledger.sets({SUM: self._unmasked(server_round, replies)})

    def screened(self, server_round: int, hashes: Mapping[str, str]) -> StoredSets:
        """Return all: a sum is no set."""
        return self.side.ledger.sets(hashes)

    @abstractmethod
    def _unmasked(self, server_round: int, replies: Iterable[Message]) -> str:
        """Return the hash in the ledger of the total of a secure sum; it has nothing else of it."""

    @abstractmethod
    def _reader(self, server_round: int) -> tuple[Reader, int]:
        """Return what reads a reply's arrays, and how many bytes they may take."""

    def _rules(self, server_round: int, staged: Staging) -> Rules[dict[str, Tensor], str]:
        """Return what a reply of the round must be; what is read of it goes to disk."""
        read, max_bytes = self._reader(server_round)

        def decode(content: RecordDict) -> dict[str, Tensor]:
            return read(to_numpy(arrays_of(content), max_bytes=max_bytes))

        return Rules(
            nonce=self.side.plan.nonce,
            round=server_round,
            max_bytes=max_bytes,
            decode=decode,
            keep=staged.add,
            identity=str,
        )
