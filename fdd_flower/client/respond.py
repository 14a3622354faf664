"""The client half of every run: read the plan, load the data, work, reply."""

from __future__ import annotations

import time
import tomllib

from flwr.app import ArrayRecord, ConfigRecord, Context, Message

from fdd_flower.client.identity import client_key
from fdd_flower.client.own_settings import with_own
from fdd_flower.client.records import (
    check_own_records,
    client_data,
    guard_own_data,
    has_owners_words,
)
from fdd_flower.client.refusing import refused
from fdd_flower.client.side import ClientSide
from fdd_flower.config import Config, flatten, from_run_config
from fdd_flower.device import moved, resolve
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import WireError
from fdd_flower.methods.base import method_of
from fdd_flower.releases.terms import is_private
from fdd_flower.threads import threads
from fdd_flower.wire.records import (
    ARRAYS,
    BASIS,
    CONFIG,
    LOGITS,
    PEERS,
    Envelope,
    read_plan,
    reply,
)


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
    if is_private(cfg):
        started = None  # how long it took follows the records
    with threads(cfg.runtime.client_threads):
        try:
            arrays, metrics = _work(message, context, cfg, plan, client)
            content = reply(arrays, _envelope(client, plan, started), metrics)
        except Exception as error:  # of any kind: Flower would send the server what it says
            content = refused(error, _envelope(client, plan, started))
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
            "plan.settings",
            expected="the settings of the run in TOML",
            got=str(error),
            remedy="Install the same fdd-flower on the server and on every client.",
        ) from error


def _work(
    message: Message, context: Context, cfg: Config, plan: Plan, client: str
) -> tuple[ArrayRecord, dict[str, int | float]]:
    arrays, peers = message.content.get(ARRAYS), message.content.get(PEERS)
    logits, basis = message.content.get(LOGITS), message.content.get(BASIS)
    if not isinstance(arrays, ArrayRecord):
        raise WireError(
            "plan.arrays",
            expected="a record, of the global model's parameters or empty",
            got="nothing",
            remedy="Install the same fdd-flower on the server and on every client.",
        )
    cfg = with_own(cfg, context.node_config, client)
    # a word of the owner holds wherever the records lie
    if has_owners_words(context.node_config):
        guard_own_data(cfg, context.node_config)
    side = ClientSide(
        cfg=cfg,
        plan=plan,
        load=lambda: moved(client_data(cfg, plan, context), resolve(cfg.runtime.device)),
        client=client,
        context=context,
        arrays=arrays,
        peers=peers if isinstance(peers, ArrayRecord) else None,
        logits=logits if isinstance(logits, ArrayRecord) else None,
        basis=basis if isinstance(basis, ArrayRecord) else None,
    )
    check_own_records(side)
    return method_of(cfg).client(side)


def _envelope(client: str, plan: Plan, started: float | None) -> Envelope:
    seconds = 0.0 if started is None else round(time.monotonic() - started, 3)
    return Envelope(client=client, nonce=plan.nonce, round=plan.round, seconds=seconds)
