"""Yogi on the server (arXiv:2003.00295): Flower's, and its moments in checkpoints."""

from flwr.serverapp.strategy import FedYogi

from fdd_flower.strategies._averaging import averaging
from fdd_flower.strategies._moments import Moments, step_size
from fdd_flower.strategies.base import STRATEGIES


class Yogi(Moments, FedYogi):
    """FedYogi that a killed run can go on with."""


STRATEGIES.register("fedyogi")(averaging(Yogi, uses=("server_learning_rate",), options=step_size))
