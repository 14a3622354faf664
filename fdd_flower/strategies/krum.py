"""Krum (arXiv:1703.02757): the one update closest to its neighbours, as Flower ships it."""

from flwr.serverapp.strategy import Krum

from fdd_flower.strategies._averaging import averaging
from fdd_flower.strategies.base import STRATEGIES

STRATEGIES.register("krum")(
    averaging(
        Krum,
        uses=("num_malicious",),
        options=lambda cfg: {"num_malicious_nodes": cfg.num_malicious},
    )
)
