"""The client half of a finishing round; see `strategy.finish`."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from flwr.app import ArrayRecord

from fdd_flower.client.records import tell_withheld
from fdd_flower.client.side import ClientSide
from fdd_flower.config import Config
from fdd_flower.device import moved, on_host
from fdd_flower.distillers.base import ClassRecords, usable_classes
from fdd_flower.errors import WireError
from fdd_flower.rng import stream
from fdd_flower.training.finish.fine_tune import Change, fine_tuned
from fdd_flower.training.finish.fitted import measured
from fdd_flower.training.finish.readout import features_of
from fdd_flower.training.finish.sums import Sums
from fdd_flower.wire.changes import change_record, read_directions
from fdd_flower.wire.codecs.base import build_codec
from fdd_flower.wire.readout import read_basis, sums_record
from fdd_flower.wire.records import read_set

FITTED = "fitted"


def finishes(cfg: Config, round_: int) -> bool:
    """Whether `round_` is a finishing round, as `strategy.finish` asks for."""
    return round_ > rounds_of_sets(cfg)


def finish_of(cfg: Config, round_: int) -> str:
    """Return what finishing round `round_` does: `strategy.finish`, or in every second "fitted"."""
    second = (round_ - rounds_of_sets(cfg)) % 2 == 0
    return FITTED if second and cfg.strategy.finish_step == FITTED else cfg.strategy.finish


def rounds_of_sets(cfg: Config) -> int:
    """Return how many rounds are for sets, before the finishing ones."""
    kind, last = cfg.strategy.finish, cfg.strategy.finish_rounds
    return cfg.num_server_rounds - (0 if kind == "none" else last)


def finish(side: ClientSide) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Return what the finishing round asks of the client's records.

    Classes with fewer than `distiller.min-records` are left out, as of a set.

    Raises
    ------
    WireError
        If the server sent no model, or not what goes beside it.
    DistillError
        If no class has enough records.
    FddError
        If the loss stops being finite.
    """
    sends = {"readout": _sums, "fine-tune": _change, FITTED: _measures}
    return sends[finish_of(side.cfg, side.plan.round)](side), {}


def _sums(side: ClientSide) -> ArrayRecord:
    """Return what ridge regression on the model's features needs of the client's records."""
    model, sent = side.global_model(), _sent("basis", side.basis)
    parts = _usable(side)
    features = torch.cat([features_of(model, part.inputs) for part in parts])
    basis = read_basis(sent, features.shape[1])
    return sums_record(Sums.of(basis(features), _targets(side, parts).double(), rng=_rng(side)))


def _change(side: ClientSide) -> ArrayRecord:
    """Return what training on the client's records changes about the model."""
    model, sent = side.global_model(), _sent("peers", side.peers)
    parts, codec = _usable(side), build_codec(side.cfg.codec, side.plan.feature_shape)
    size = sum(len(array.data) for array in sent.values())
    inputs, rng = torch.cat([part.inputs for part in parts]), _rng(side)
    targets, merged = moved(
        (_targets(side, parts), read_set(sent, codec, side.plan, max_bytes=size)), inputs.device
    )
    after = fine_tuned(model, inputs, targets, merged, side.cfg.training, rng=rng)
    return change_record(Change.of(model, after, records=len(inputs), rng=rng))


def _measures(side: ClientSide) -> ArrayRecord:
    """Return what the client's records say of going along the changes of the round before."""
    model, sent = side.global_model(), _sent("basis", side.basis)
    directions = read_directions(sent, [p.numel() for p in model.parameters()]).along(model)
    parts, rng = _usable(side), _rng(side)
    inputs, labels = torch.cat([part.inputs for part in parts]), _labels(parts)
    return sums_record(measured(model, directions, inputs, labels, rng=rng))


def _usable(side: ClientSide) -> list[ClassRecords]:
    parts, withheld = usable_classes(side.data, side.cfg.distiller)
    tell_withheld(side, len(withheld))
    return parts


def _targets(side: ClientSide, parts: list[ClassRecords]) -> torch.Tensor:
    return F.one_hot(_labels(parts), len(side.plan.classes)).float()


def _labels(parts: list[ClassRecords]) -> torch.Tensor:
    return on_host(torch.cat([torch.full((len(part.inputs),), part.label) for part in parts]))


def _rng(side: ClientSide) -> torch.Generator:
    return stream(side.cfg.seed, "finish", side.client, side.plan.round)


def _sent(name: str, record: ArrayRecord | None) -> ArrayRecord:
    if record is None:
        raise WireError(
            f"plan.{name}",
            expected=f"the {name} of a finishing round",
            got="none",
            remedy="Install the same fdd-flower on the server and on every client.",
        )
    return record
