"""The client half of every run: read the plan, load the data, work, reply."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Mapping

from flwr.app import ArrayRecord, ConfigRecord, Context, Message

from fdd_flower.config import Config, DistillerConfig, Scalar, flatten, from_run_config
from fdd_flower.data import client_share, load_dataset, load_own
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import Plan, declares
from fdd_flower.errors import ConfigError, DataError, FddError, WireError
from fdd_flower.strategies._log import say
from fdd_flower.strategies._own_settings import with_own
from fdd_flower.strategies.base import STRATEGIES, ClientSide
from fdd_flower.threads import threads
from fdd_flower.wire.records import (
    ARRAYS,
    CONFIG,
    LOGITS,
    PEERS,
    Envelope,
    read_plan,
    refusal,
    reply,
)

DEFAULT_MIN_RECORDS = DistillerConfig().min_records


def respond(message: Message, context: Context) -> Message:
    """Do one round's work and return the reply; a refusal names only its kind.

    Raises
    ------
    WireError
        If the plan cannot be read: there is then no round to reply to.
    """
    cfg = run_settings(message, context)
    plan = read_plan(message.content)
    client, started = client_key(context), time.monotonic()
    with threads(cfg.runtime.client_threads):
        try:
            arrays, metrics = _work(message, context, cfg, plan, client)
            content = reply(arrays, _envelope(client, plan, started), metrics)
        except FddError as error:
            say(f"client {client} refuses: {error}")
            content = refusal(type(error).__name__, _envelope(client, plan, started))
    return Message(content, reply_to=message)


def run_settings(message: Message, context: Context) -> Config:
    """Return the settings of the run: the run config, or what a resumed run sends instead.

    A run is resumed with the settings it began with, and its run config may name the folder
    only. Both are the server's word.

    Raises
    ------
    FddError
        If a setting is unknown, or out of range.
    """
    record = message.content.get(CONFIG)
    text = record.get("settings") if isinstance(record, ConfigRecord) else None
    if not isinstance(text, str):
        return from_run_config(context.run_config)
    try:
        return from_run_config(flatten(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise WireError(
            "plan.settings", expected="the settings of the run in TOML", got=str(error),
            remedy="Install the same fdd-flower on the server and on every client.",
        ) from error  # fmt: skip


def _work(
    message: Message, context: Context, cfg: Config, plan: Plan, client: str
) -> tuple[ArrayRecord, dict[str, int | float]]:
    arrays, peers = message.content.get(ARRAYS), message.content.get(PEERS)
    logits = message.content.get(LOGITS)
    if not isinstance(arrays, ArrayRecord):
        raise WireError(
            "plan.arrays", expected="the global model", got="nothing",
            remedy="Install the same fdd-flower on the server and on every client.",
        )  # fmt: skip
    cfg = with_own(cfg, context.node_config, client)
    if "data-path" in context.node_config:
        guard_own_data(cfg, context.node_config)
    side = ClientSide(
        cfg=cfg,
        plan=plan,
        data=client_data(cfg, plan, context),
        client=client,
        context=context,
        arrays=arrays,
        peers=peers if isinstance(peers, ArrayRecord) else None,
        logits=logits if isinstance(logits, ArrayRecord) else None,
    )
    return STRATEGIES.get(cfg.strategy.name).client(side)


def guard_own_data(cfg: Config, node: Mapping[str, Scalar]) -> None:
    """Hold the server's settings against what the owner of the data allows.

    The run config is the server's word. On a client's own data the node config has the last
    one: `allow-real-records` (false), `min-records` (8) and `secure-sum` (false): whether nothing
    may leave but under the masks of a secure sum.

    Raises
    ------
    ConfigError
        If the settings would send real records, or rows made of too few of them, or what is not
        masked; or if what the owner allows cannot be read.
    """
    for name in ("allow-real-records", "secure-sum"):
        if not isinstance(node.get(name, False), bool):
            raise ConfigError(
                f"node config {name}", expected="true or false", got=repr(node[name]),
                remedy=f"Write {name}=true or {name}=false, without quotes.",
            )  # fmt: skip
    masks = cfg.strategy.name == "sketch" and cfg.sketch.secure_sum
    if node.get("secure-sum") is True and not masks:
        raise ConfigError(
            "sketch.secure-sum", expected="true, which this client asks for", got="false",
            remedy="Set it; or the owner of the data may take secure-sum from the node config.",
        )  # fmt: skip
    real = [
        f"distiller.{key}={name}"
        for key, name in (("name", cfg.distiller.name), ("first", cfg.distiller.first))
        if name and declares(name, "sends_real")
    ]
    if cfg.distiller.start == "real-unsafe":
        real.append("distiller.start=real-unsafe")
    if real and node.get("allow-real-records") is not True:
        raise ConfigError(
            real[0], expected="a distiller that sends no real record", got="one that does",
            remedy="The owner of the data may allow it: allow-real-records=true in node config.",
        )  # fmt: skip
    least = int(node.get("min-records", DEFAULT_MIN_RECORDS))
    if cfg.distiller.min_records < least:
        raise ConfigError(
            "distiller.min-records", expected=f"at least {least}, which this client asks for",
            got=cfg.distiller.min_records,
            remedy="Raise it; or the owner of the data may lower min-records in the node config.",
        )  # fmt: skip


def client_key(context: Context) -> str:
    """Return what names this client across restarts: node config first, node id last."""
    for name in ("client-name", "partition-id"):
        if name in context.node_config:
            return str(context.node_config[name])
    return str(context.node_id)


def client_data(cfg: Config, plan: Plan, context: Context) -> Split:
    """Return this client's records: its own path if the node config names one, else its share.

    Raises
    ------
    DataError
        If the node config names neither, or the data does not fit the plan.
    """
    node = context.node_config
    if "data-path" in node:
        return load_own(
            cfg.data,
            path=str(node["data-path"]),
            classes=plan.classes,
            feature_shape=plan.feature_shape,
            normalisation=plan.normalisation,
        )
    if "partition-id" in node and "num-partitions" in node:
        dataset = load_dataset(cfg.data, seed=cfg.seed)
        return client_share(
            dataset,
            cfg.partition,
            client=int(node["partition-id"]),
            num_clients=int(node["num-partitions"]),
            seed=cfg.seed,
        )
    raise DataError(
        "node config", expected="data-path, or partition-id and num-partitions",
        got=", ".join(sorted(node)) or "nothing",
        remedy="Start the SuperNode with --node-config 'data-path=\"/folder\"'.",
    )  # fmt: skip


def _envelope(client: str, plan: Plan, started: float) -> Envelope:
    seconds = round(time.monotonic() - started, 3)
    return Envelope(client=client, nonce=plan.nonce, round=plan.round, seconds=seconds)
