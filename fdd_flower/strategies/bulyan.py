"""Bulyan (arXiv:1802.07927): trimmed means of what multi-Krum selects, as Flower ships it.

Flower skips a round with fewer than 4 f + 3 replies, f hostile ones, and keeps the model as it was;
here the quorum must be at least that, so that no round passes for one that learned.
"""

from flwr.serverapp.strategy import Bulyan

from fdd_flower.strategies._averaging import averaging
from fdd_flower.strategies.base import STRATEGIES

STRATEGIES.register("bulyan")(
    averaging(
        Bulyan,
        uses=("num_malicious",),
        options=lambda cfg: {"num_malicious_nodes": cfg.num_malicious},
        needs=lambda cfg: 4 * cfg.num_malicious + 3,
    )
)
