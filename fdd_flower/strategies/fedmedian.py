"""Coordinate-wise median of the clients' parameters (arXiv:1803.01498), as Flower ships it."""

from flwr.serverapp.strategy import FedMedian

from fdd_flower.strategies._averaging import average_client, guarded
from fdd_flower.strategies.base import STRATEGIES, Method

STRATEGIES.register("fedmedian")(
    Method(server=lambda side: guarded(FedMedian, side), client=average_client, distils=False)
)
