"""The client half of a finishing round: sums over the client's records under the global model."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from flwr.app import ArrayRecord

from fdd_flower.client.records import tell_withheld
from fdd_flower.client.side import ClientSide
from fdd_flower.config import Config
from fdd_flower.device import on_host
from fdd_flower.distillers.base import usable_classes
from fdd_flower.errors import WireError
from fdd_flower.rng import stream
from fdd_flower.training.readout import Sums, features_of
from fdd_flower.wire.readout import read_basis, sums_record


def finishes(cfg: Config, round_: int) -> bool:
    """Whether `round_` is the one that fits the last layer."""
    return cfg.strategy.finish == "readout" and round_ == cfg.num_server_rounds


def send_sums(side: ClientSide) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Return what ridge regression on the model's features needs of the client's records.

    Classes with fewer than `distiller.min-records` are left out, as of a set.

    Raises
    ------
    WireError
        If the server sent no model or no basis.
    DistillError
        If no class has enough records.
    """
    model = side.global_model()
    if side.basis is None:
        raise WireError(
            "plan.basis",
            expected="the basis of a finishing round",
            got="none",
            remedy="Install the same fdd-flower on the server and on every client.",
        )
    parts, withheld = usable_classes(side.data, side.cfg.distiller)
    tell_withheld(side, len(withheld))
    features = torch.cat([features_of(model, part.inputs) for part in parts])
    labels = torch.cat([torch.full((len(part.inputs),), part.label) for part in parts])
    targets = F.one_hot(on_host(labels), len(side.plan.classes)).double()
    rng = stream(side.cfg.seed, "finish", side.client, side.plan.round)
    basis = read_basis(side.basis, features.shape[1])
    return sums_record(Sums.of(basis(features), targets, rng=rng)), {}
