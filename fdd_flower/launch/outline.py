"""What a run is about to do, said before it begins: its records, clients and rounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from flwr.app import ArrayRecord, RecordDict

from fdd_flower.client.finish import FITTED
from fdd_flower.config import Config, DistillerConfig
from fdd_flower.data import natural_groups
from fdd_flower.data.base import Dataset
from fdd_flower.distillers.base import Plan, packing_of
from fdd_flower.distillers.parts.options import settings_of_round, uses_model
from fdd_flower.launch.reach import check_reach
from fdd_flower.methods.base import Method
from fdd_flower.models import resolve_name
from fdd_flower.models.base import Network
from fdd_flower.progress_log import NOTE
from fdd_flower.report.units import human_bytes
from fdd_flower.server.about import classes_line, counted, notes, records_line
from fdd_flower.server.finish import FINISHES
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.pace import Pace
from fdd_flower.wire.codecs.base import build_codec, resolved
from fdd_flower.wire.records import (
    ARRAYS,
    CONFIG,
    Envelope,
    message_bytes,
    plan_record,
    reply,
    set_record,
)
from fdd_flower.wording import many

EXACT = ("uint8", "float16", "float32")  # codecs whose bytes do not depend on the values


def outline(
    cfg: Config,
    method: Method,
    dataset: Dataset,
    held: Sequence[np.ndarray],
    plan: Plan,
    model: Network,
    *,
    own_data: bool = False,
) -> list[str]:
    """Return the lines that say what a run is about to do.

    Parameters
    ----------
    held
        The labels of each client's records.
    own_data
        They are not shares of one data set.

    Raises
    ------
    ConfigError
        If too few clients have anything to send.
    """
    counts = [np.bincount(labels, minlength=len(dataset.classes)) for labels in held]
    sizes = [len(labels) for labels in held]
    reach = check_reach(cfg, method, dataset.classes, counts)
    training = sum(sizes) if own_data else len(dataset.train)
    return [
        records_line(cfg, dataset, training),
        classes_line(dataset.classes, np.sum(counts, axis=0)),
        _clients("data of their own" if own_data else f"split: {_split(cfg)}", sizes),
        *([] if own_data else _groups(cfg, dataset, sizes)),
        *(f"{NOTE}{note}" for note in (*notes(cfg, dataset, method), *reach)),
        _rounds(cfg, method, plan, model, counts),
    ]


def _split(cfg: Config) -> str:
    split = cfg.partition.name
    return (
        f"{split}, alpha {cfg.partition.alpha:g}" if split in ("dirichlet", "balanced") else split
    )


def _clients(where: str, sizes: Sequence[int]) -> str:
    least, most = min(sizes), max(sizes)
    held = many(most, "record") if least == most else f"{least:,} to {many(most, 'record')}"
    each = " each" if least == most and len(sizes) > 1 else ""
    return f"{many(len(sizes), 'client')} with {held}{each} ({where})"


def _groups(cfg: Config, dataset: Dataset, sizes: Sequence[int]) -> list[str]:
    """Return which groups are clients, which are not, and which are tested on."""
    lines, names, column = [], dataset.group_names, cfg.partition.column
    if cfg.partition.name == "column":
        chosen = natural_groups(dataset, cfg.partition, clients=len(sizes)).tolist()
        lines.append(f"{column}: {counted([names[g] for g in chosen], sizes)}")
        assert dataset.train.groups is not None
        counts = np.bincount(dataset.train.groups, minlength=len(names))
        out = [g for g in np.argsort(-counts, kind="stable") if counts[g] and g not in chosen]
        if out:
            lines.append(f"no client: {counted([names[g] for g in out], counts[out].tolist())}")
    if cfg.data.test_groups:
        lines.append(f"tested on {column}: {cfg.data.test_groups}")
    return lines


def _rounds(
    cfg: Config, method: Method, plan: Plan, model: Network, counts: Sequence[np.ndarray]
) -> str:
    rounds, name = cfg.num_server_rounds, resolve_name(cfg.model.name, plan.feature_shape)
    distiller = settings_of_round(cfg.distiller, rounds)
    sent = model if method.conditions or uses_model(distiller) else None
    parts = [
        f"{many(rounds, 'round')} of {cfg.strategy.name}",
        f"{human_bytes(_down(plan, sent))} down a client",
    ]
    if not method.distils:
        parts += [] if method.synthesises else [f"as much up: the weights of {name}"]
        return ", ".join(parts)
    codec = build_codec(cfg.codec, plan.feature_shape)
    cells = packing_of(distiller, plan.feature_shape, codec).cells
    rows = [_rows(distiller, own, cells) for own in counts]
    parts.append(_up(cfg, plan, max(rows)))
    if not distiller.bytes:
        merged = sum(rows) * cells  # the server unpacks what a row holds
        pace = Pace.of(cfg.training, merged)
        steps = f"{'' if pace.slack is None else 'up to '}{many(pace.steps, 'step')}"
        parts.append(f"{steps} of {name} on at most {many(merged, 'merged row')}")
    return ", ".join(parts) + _finish(cfg, plan, model)


def _finish(cfg: Config, plan: Plan, model: Network) -> str:
    """Return what a finishing round sends, if the run has one; else nothing."""
    if cfg.strategy.finish == "none":
        return ""
    last = cfg.strategy.finish_rounds
    first = _finishing(cfg, plan, model, cfg.strategy.finish)
    if cfg.strategy.finish_step == FITTED:
        second = _finishing(cfg, plan, model, FITTED)
        return f"; in the last {last} in turn {first}; and {second}"
    when = "in the last one" if last == 1 else f"in each of the last {last}"
    return f"; {when} {first}"


def _finishing(cfg: Config, plan: Plan, model: Network, kind: str) -> str:
    finish = FINISHES[kind](cfg, plan, model)
    size, more = finish.down
    down, up = human_bytes(_down(plan, model) + size), human_bytes(finish.up)
    if more:
        return f"{down} and {more} down, and at most {up} up"
    return f"at most {down} down and {up} up"


def _down(plan: Plan, model: Network | None) -> int:
    """Return the bytes of a message to a client: the plan, and the weights of `model`."""
    arrays = ArrayRecord() if model is None else ArrayRecord(model.state_dict())
    return message_bytes(RecordDict({ARRAYS: arrays, CONFIG: plan_record(plan)}))


def _rows(cfg: DistillerConfig, counts: np.ndarray, cells: int) -> int:
    """Return the most rows of a client with `counts` records per class; see `usable_classes`."""
    usable = counts[counts >= cfg.min_records]
    return int(np.minimum(cfg.ipc, -(-(usable // cfg.min_records) // cells)).sum())


def _up(cfg: Config, plan: Plan, rows: int) -> str:
    """Return what a client sends at most: of as many rows as any has, if that fixes the bytes."""
    if cfg.distiller.bytes:
        return f"at most {human_bytes(cfg.distiller.bytes)} up"
    if resolved(cfg.codec, plan.feature_shape).name not in EXACT or rows == 0:
        return f"at most {many(rows, 'row')} up"
    classes = len(plan.classes)
    targets = torch.eye(classes)[torch.arange(rows) % classes]
    if cfg.distiller.labels != "hard":
        targets = torch.full((rows, classes), 1 / classes)
    part = SyntheticSet(
        inputs=torch.zeros(rows, *plan.feature_shape), targets=targets, weights=torch.ones(rows)
    )
    envelope = Envelope(client="0", nonce=plan.nonce, round=1, seconds=1.0)
    arrays = set_record(part, build_codec(cfg.codec, plan.feature_shape))
    size = human_bytes(message_bytes(reply(arrays, envelope, {})))
    return f"at most {many(rows, 'row')} or {size} up"
