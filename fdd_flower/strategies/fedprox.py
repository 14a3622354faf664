"""FedProx (arXiv:1812.06127): Flower's server half, and the proximal term of the client."""

from flwr.app import ArrayRecord
from flwr.serverapp.strategy import FedProx

from fdd_flower.strategies._averaging import average_client, averaging
from fdd_flower.strategies.base import STRATEGIES, ClientSide


def proximal_client(side: ClientSide) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Train as FedAvg does, held near the global model by `strategy.proximal-mu`."""
    return average_client(side, proximal_mu=side.cfg.strategy.proximal_mu)


STRATEGIES.register("fedprox")(
    averaging(
        FedProx,
        client=proximal_client,
        uses=("proximal_mu",),
        options=lambda cfg: {"proximal_mu": cfg.proximal_mu},
    )
)
