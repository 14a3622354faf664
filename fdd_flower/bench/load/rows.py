"""A row of the load bench, and whether it meets the goals."""

from __future__ import annotations

from dataclasses import dataclass

# Goal R6: 1,000 clients of 78 kB each.
CLIENTS, KILOBYTES = 1000, 78.0
MOST_SECONDS, MOST_POOLS = 60.0, 2.0
NEARLY = 0.95  # of those kilobytes: rows are whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One round of many clients, in a process of its own; MB are 10**6 bytes.

    Attributes
    ----------
    clients
        That replied.
    codec
        Of their sets.
    bytes
        Of a reply on the wire, on average.
    rows
        In the merged set.
    seconds
        From the last reply's arrival to the merged set.
    seconds_accept, seconds_merge
        Of them: until every set is judged and in the ledger; to merge them from there.
    pool_mb
        The merged set's tensors.
    base_mb, peak_mb
        Memory of the process before the replies come; the most that it held from then on.
    digest
        Content hash of the merged set.
    error
        Why nothing was measured; empty if it was.
    """

    clients: int
    codec: str
    bytes: int | None = None
    rows: int | None = None
    seconds: float | None = None
    seconds_accept: float | None = None
    seconds_merge: float | None = None
    pool_mb: float | None = None
    base_mb: float | None = None
    peak_mb: float | None = None
    digest: str = ""
    error: str = ""

    @property
    def above_mb(self) -> float:
        """Memory at the peak above that before the replies came; nan if it was not measured."""
        if self.peak_mb is None or self.base_mb is None:
            return float("nan")
        return self.peak_mb - self.base_mb

    @property
    def pools(self) -> float:
        """The same in sizes of the merged set."""
        return self.above_mb / self.pool_mb if self.pool_mb else float("nan")

    @property
    def in_time(self) -> bool:
        """Whether it took at most 60 s."""
        return self.seconds is not None and self.seconds <= MOST_SECONDS

    @property
    def in_memory(self) -> bool:
        """Whether memory grew by at most twice the merged set."""
        return self.pools <= MOST_POOLS

    @property
    def is_of_the_goal(self) -> bool:
        """Whether there were as many clients, with as many bytes, as goal R6 names."""
        return self.clients >= CLIENTS and (self.bytes or 0) >= NEARLY * 1000 * KILOBYTES
