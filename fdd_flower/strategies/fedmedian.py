"""Coordinate-wise median of the clients' parameters (arXiv:1803.01498), as Flower ships it."""

from flwr.serverapp.strategy import FedMedian

from fdd_flower.strategies._averaging import averaging
from fdd_flower.strategies.base import STRATEGIES

STRATEGIES.register("fedmedian")(averaging(FedMedian))
