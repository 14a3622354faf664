"""What each client's set of a round is worth, and which sets should be quarantined.

A signal is a file with one function, `Evidence -> {client: Finding}`. Everything is a function of
the sets, the server's root records and the run's seed: never of the order of replies or of time.
"""

from fdd_flower.scoring.quota import bound_shares
from fdd_flower.scoring.root import ROOT_PER_CLASS, Root, hold_out_root, server_records
from fdd_flower.scoring.verdict import Score, is_copy, score_sets

__all__ = [
    "ROOT_PER_CLASS",
    "Root",
    "Score",
    "bound_shares",
    "hold_out_root",
    "is_copy",
    "score_sets",
    "server_records",
]
