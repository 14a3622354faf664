"""Coordinate-wise mean without the ends (arXiv:1803.01498), as Flower ships it."""

from flwr.serverapp.strategy import FedTrimmedAvg

from fdd_flower.strategies._averaging import averaging
from fdd_flower.strategies.base import STRATEGIES

STRATEGIES.register("fedtrimmedavg")(
    averaging(FedTrimmedAvg, uses=("beta",), options=lambda cfg: {"beta": cfg.beta})
)
