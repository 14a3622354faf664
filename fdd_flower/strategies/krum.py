"""Krum (arXiv:1703.02757): the one update closest to its neighbours, as Flower ships it."""

from flwr.serverapp.strategy import Krum

from fdd_flower.strategies._averaging import average_client, guarded
from fdd_flower.strategies.base import STRATEGIES, Method

STRATEGIES.register("krum")(
    Method(
        server=lambda side: guarded(
            Krum, side, num_malicious_nodes=side.cfg.strategy.num_malicious
        ),
        client=average_client,
        distils=False,
    )
)
