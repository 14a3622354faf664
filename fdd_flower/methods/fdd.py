"""Federated dataset distillation: clients send synthetic sets, the server trains on them."""

from flwr.app import ArrayRecord

from fdd_flower.client.distil import distil
from fdd_flower.client.finish import finish, finishes
from fdd_flower.client.side import ClientSide
from fdd_flower.methods._finish import Finishing, check_finish
from fdd_flower.methods._private import PRIVATE
from fdd_flower.methods.base import STRATEGIES, Method
from fdd_flower.server.pool import POOLING


def _client(side: ClientSide) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Distil; or, in a finishing round, what `strategy.finish` names."""
    return finish(side) if finishes(side.cfg, side.plan.round) else distil(side)


STRATEGIES.register("fdd")(
    Method(
        server=Finishing,
        client=_client,
        distils=True,
        check=check_finish,
        uses=(*POOLING, "finish", "finish_rounds", "finish_step"),
        conditions=False,
        private=PRIVATE,
    )
)
