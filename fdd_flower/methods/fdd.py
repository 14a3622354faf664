"""Federated dataset distillation: clients send synthetic sets, the server trains on them."""

from fdd_flower.client.distil import distil
from fdd_flower.methods._private import PRIVATE
from fdd_flower.methods.base import STRATEGIES, Method
from fdd_flower.server.distillation import FederatedDistillation
from fdd_flower.server.pool import POOLING

STRATEGIES.register("fdd")(
    Method(
        server=FederatedDistillation,
        client=distil,
        distils=True,
        uses=POOLING,
        conditions=False,
        private=PRIVATE,
    )
)
