"""The client half of methods that average parameters: SGD on the client's own records."""

from __future__ import annotations

from flwr.app import ArrayRecord

from fdd_flower.client.side import ClientSide
from fdd_flower.config import LocalConfig
from fdd_flower.rng import stream
from fdd_flower.training.local import train_locally
from fdd_flower.wire.records import COUNT


def average_client(
    side: ClientSide, *, proximal_mu: float = 0.0
) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Train the global model on the client's records and return its parameters."""
    model = side.global_model()
    rng = stream(side.cfg.seed, "local", side.client, side.plan.round)
    train_locally(side.data, model, side.cfg.local, rng=rng, proximal_mu=proximal_mu)
    return ArrayRecord(model.state_dict()), {COUNT: len(side.data)}


def local_steps(records: int, cfg: LocalConfig) -> int:
    """Return how many steps `train_locally` takes on so many records."""
    return cfg.epochs * -(-records // cfg.batch_size)


def sum_of_weights(steps: int, momentum: float) -> float:
    """Return how many plain gradients `steps` steps of SGD with momentum add up to.

    Step k moves by the sum over j <= k of momentum^(k-j) g_j. So g_j counts, in all steps,
    (1 - momentum^(steps-j+1)) / (1 - momentum) times. The sum of these is |a|_1 of FedNova
    (arXiv:2007.07481); without momentum it is `steps`.
    """
    lost = momentum * (1 - momentum**steps) / (1 - momentum)
    return (steps - lost) / (1 - momentum)
