"""Which replies a run took, from whom, and why it refused the others; the sets themselves too.

A set is kept under the hash of its content, and before it is used: what a run built on can be
looked at, checked, and built again without one of the clients.
"""

from fdd_flower.ledger._blobs import content_hash
from fdd_flower.ledger.entry import (
    ACCEPTED,
    FORGOTTEN,
    KEPT,
    QUARANTINED,
    REJECTED,
    SUMMED,
    SUPERSEDED,
    Entry,
    accepted_entry,
    summed_entry,
)
from fdd_flower.ledger.ledger import Ledger
from fdd_flower.ledger.stored import Staging, StoredSets

__all__ = [
    "ACCEPTED", "FORGOTTEN", "KEPT", "QUARANTINED", "REJECTED", "SUMMED", "SUPERSEDED", "Entry",
    "Ledger", "Staging", "StoredSets", "accepted_entry", "content_hash", "summed_entry",
]  # fmt: skip
