"""Multi-Krum (arXiv:1703.02757): the mean of the updates closest to theirs, as Flower ships it."""

from flwr.serverapp.strategy import MultiKrum

from fdd_flower.strategies._averaging import averaging
from fdd_flower.strategies.base import STRATEGIES

STRATEGIES.register("multikrum")(
    averaging(
        MultiKrum,
        uses=("num_malicious", "num_selected"),
        options=lambda cfg: {
            "num_malicious_nodes": cfg.num_malicious,
            "num_nodes_to_select": cfg.num_selected,
        },
    )
)
