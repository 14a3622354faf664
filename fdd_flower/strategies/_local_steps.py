"""How far a client's local training goes: its steps, and what momentum makes of them."""

from __future__ import annotations

from fdd_flower.config import LocalConfig


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
