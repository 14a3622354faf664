"""Adam on the server (arXiv:2003.00295): Flower's, and its moments in checkpoints."""

from flwr.serverapp.strategy import FedAdam

from fdd_flower.strategies._averaging import averaging
from fdd_flower.strategies._moments import Moments, step_size
from fdd_flower.strategies.base import STRATEGIES


class Adam(Moments, FedAdam):
    """FedAdam that a killed run can go on with."""


STRATEGIES.register("fedadam")(averaging(Adam, uses=("server_learning_rate",), options=step_size))
