"""Federated averaging (arXiv:1602.05629), as Flower ships it."""

from flwr.serverapp.strategy import FedAvg

from fdd_flower.strategies._averaging import average_client, guarded
from fdd_flower.strategies.base import STRATEGIES, Method

STRATEGIES.register("fedavg")(
    Method(server=lambda side: guarded(FedAvg, side), client=average_client, distils=False)
)
