"""The client half of methods whose clients distil; and what the server sends beside the model."""

from __future__ import annotations

from dataclasses import replace

from flwr.app import ArrayRecord

from fdd_flower.client.finish import rounds_of_sets
from fdd_flower.client.fresh import records_of_round
from fdd_flower.client.records import tell_withheld
from fdd_flower.client.side import ClientSide
from fdd_flower.client.warm_start import OwnSet
from fdd_flower.config import CodecConfig, DistillerConfig
from fdd_flower.device import moved
from fdd_flower.distillers.base import DISTILLERS, Distilled, Guidance, Plan
from fdd_flower.distillers.parts.options import settings_of_round, uses_model
from fdd_flower.errors import DistillError
from fdd_flower.models.base import Network
from fdd_flower.rng import stream
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import CODECS, Codec, build_codec
from fdd_flower.wire.records import read_set, set_record


def distil(
    side: ClientSide, guidance: Guidance | None = None
) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Distil the client's data and return it encoded; see `distilled_set`.

    Raises
    ------
    DistillError
        As `distilled_set` does.
    """
    distilled = distilled_set(side, guidance)
    codec = distilled.codec
    assert codec is not None  # the plan names one
    return set_record(distilled.synthetic, codec), {}


def distilled_set(side: ClientSide, guidance: Guidance | None = None) -> Distilled:
    """Distil the client's data, starting from its earlier set where it has one.

    With `distiller.fresh` only the records of the round are distilled, and rows start from them.

    Raises
    ------
    DistillError
        If the client has no class to distil, or a loss stops being finite: the next round then
        starts from the last good set.
    """
    cfg = settings_of_round(side.cfg.distiller, side.plan.round)
    codec = build_codec(side.cfg.codec, side.plan.feature_shape)
    plan = replace(
        side.plan, model=_model(side, cfg), peers=_peers(side, cfg), codec=codec, guidance=guidance
    )
    rng = stream(side.cfg.seed, "client", side.client, plan.round)
    memory = OwnSet(side)
    rounds, client = rounds_of_sets(side.cfg), side.client
    data = records_of_round(side.data, side.cfg, client=client, round_=plan.round, rounds=rounds)
    earlier = None if cfg.fresh else memory.recall(plan)
    plan, start = moved((plan, earlier), data.inputs.device)
    try:
        distilled = DISTILLERS.get(cfg.name)(cfg).distill(data, plan=plan, start=start, rng=rng)
    except DistillError as error:
        kept = getattr(error, "kept", None)
        if kept is not None:
            memory.remember(kept)
        raise
    tell_withheld(side, len(distilled.withheld))
    memory.remember(distilled.synthetic)
    return distilled if distilled.codec else replace(distilled, codec=codec)


def _model(side: ClientSide, cfg: DistillerConfig) -> Network | None:
    return side.global_model() if uses_model(cfg) else None


def _peers(side: ClientSide, cfg: DistillerConfig) -> SyntheticSet | None:
    if not cfg.peers or side.peers is None:
        return None
    return read_peers(side.peers, side.plan)


def read_peers(record: ArrayRecord, plan: Plan) -> SyntheticSet:
    """Return the rows that the server sent beside the model.

    Raises
    ------
    WireError
        If they are malformed, or do not fit the plan.
    """
    limit = sum(len(array.data) for array in record.values())
    return read_set(record, peers_codec(), plan, max_bytes=limit)


def peers_codec() -> Codec:
    """Return the codec of the way down: one that does not lose twice what a lossy one lost."""
    return CODECS.get("uint8")(CodecConfig(name="uint8"))
