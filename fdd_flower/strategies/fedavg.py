"""Federated averaging (arXiv:1602.05629), as Flower ships it."""

from flwr.serverapp.strategy import FedAvg

from fdd_flower.strategies._averaging import averaging
from fdd_flower.strategies.base import STRATEGIES

STRATEGIES.register("fedavg")(averaging(FedAvg))
