"""A client's part of a secure sum: what it keeps between messages, and what it answers.

All that it is told is of its neighbourhood: places are those in the list of keys that it was sent.

The state lies in Flower's `context.state`, with keys from the operating system, and lasts as long
as Flower's run. In it a client takes part in one sum, whatever the server asks: two sums over other
clients each would give those away in which they differ. A run that is resumed is another one of
Flower's, so that what was under way can be asked again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message

from fdd_flower.client.identity import client_key, introduce
from fdd_flower.client.refusing import refused
from fdd_flower.device import on_host
from fdd_flower.distillers.base import Plan
from fdd_flower.privacy.sharing import LEAST
from fdd_flower.secure_sum._questions import (
    TAGS,
    Arrays,
    number_of_clients,
    off,
    read,
    read_arrays,
    signature_rows,
    sorted_places,
    tag_rows,
)
from fdd_flower.secure_sum.consistency import tags, told, vouched
from fdd_flower.secure_sum.identity import KNOWN, Company, signed
from fdd_flower.secure_sum.keys import KEY, SEALED, Keys
from fdd_flower.secure_sum.masks import RING, to_ring
from fdd_flower.secure_sum.protocol import Group, give_away, mask, opened, share
from fdd_flower.sketches.base import Sketch
from fdd_flower.sketches.integers import to_planes
from fdd_flower.wire.records import (
    CONFIG,
    PEERS,
    Envelope,
    read_plan,
    reply,
    to_array_record,
)

STEP = "x-secure-sum"  # in the plan: which step a question is
STATE = "fdd-secure-sum"
MASKED = "masked"


@dataclass(frozen=True, slots=True)
class _Question:
    arrays: Arrays
    plan: Plan
    context: Context
    least: int


def answer(message: Message, context: Context, *, least: int = LEAST) -> Message:
    """Return the answer to a question of the server: for a secure sum, or for the client's name.

    Parameters
    ----------
    least
        How many clients must stay to the end at least: below it this one sends nothing masked and
        gives no share away. Its shares, too, give a secret only to so many.

    Raises
    ------
    WireError
        If the plan cannot be read.
    """
    config = message.content.get(CONFIG)
    step = config.get(STEP) if isinstance(config, ConfigRecord) else None
    if step is None:
        return introduce(message, context)
    plan = read_plan(message.content)
    envelope = Envelope(client=client_key(context), nonce=plan.nonce, round=plan.round, seconds=0.0)
    try:
        if not isinstance(step, str) or step not in _STEPS:
            raise off(f"one of {', '.join(_STEPS)}", step)
        arrays = read_arrays(message.content.get(PEERS))
        arrays = _STEPS[step](_Question(arrays, plan, context, least))
        return Message(reply(to_array_record(arrays), envelope, {}), reply_to=message)
    except Exception as error:  # of any kind: Flower would send the server what it says
        return Message(refused(error, envelope), reply_to=message)


def masked_values(
    values: np.ndarray,
    peers: ArrayRecord | None,
    *,
    plan: Plan,
    context: Context,
    least: int = LEAST,
    least_known: int = 0,
    terms: bytes = b"",
    largest: int | None = None,
) -> ArrayRecord:
    """Return whole numbers under the client's masks, as planes of numbers of the ring.

    Where somebody signed keys, and all clients are neighbours, with a tag for each client: that it
    was told the same one of `places`, and had the same `terms`.

    Parameters
    ----------
    values
        int64 (n,).
    peers
        `places` of the clients of its neighbourhood whose shares open, and of how many `clients`
        the sum may be.
    least
        Of how many clients the sum is at least, as the noise in them assumes: no more than
        what `answer` was told.
    least_known
        How many other clients that it knows must be there, and must stay, as the noise assumes.
    terms
        What the noise of each of them follows from: this client gives no share away where others
        had other ones.
    largest
        See `to_ring`: the server says how many clients there are, and could so ask how large
        `values` are.

    Raises
    ------
    FddError
        If the client did not take part in the round so far, too few clients are there, or a sum
        does not fit.
    """
    keys, group, state = _held(plan, context)
    if group.threshold < least:
        raise off(f"{least} clients or more to the end", f"shares that {group.threshold} open")
    places = _places(read_arrays(peers), keys, group)
    if not set(places) <= set(_inbox(state)):
        raise off("clients whose shares this one has", "others")
    here = set(places) & opened(_inbox(state), keys, group).keys()
    company, clients = (
        Company.of(context.node_config),
        number_of_clients(read_arrays(peers), len(group.publics)),
    )
    company.require(_known(state), here, len(places), least_known=least_known)
    vouches = bool(state["signed"]) and clients == len(group.publics)
    if company.clients is not None and not vouches:
        raise off(f"sketch.neighbours=0, for it takes part among {KNOWN}", "a neighbourhood")
    _require_unsent(state)
    state["places"], state["vouches"], state["least-known"] = places, vouches, least_known
    state["terms"] = terms
    found = mask(to_ring(values, clients, largest=largest), keys, group, places).astype(np.int64)
    arrays = {MASKED: to_planes(torch.from_numpy(found), RING)}
    if vouches:
        arrays[TAGS] = tags(keys, group, places, told(group, places, terms=terms))
    return to_array_record(arrays)


@dataclass(frozen=True, slots=True)
class Session:
    """A secure sum that is under way, as one of its clients sees it.

    Attributes
    ----------
    keys
        The client's public keys, of this sum alone.
    stay, clients
        How many must stay to the end, of how many.
    known
        How many others that it knows are there, whose shares open; None: it asks nobody who they
        are.
    strangers
        How many others it does not know, or has no shares of that open; 0 where it asks nobody.
    """

    keys: bytes
    stay: int
    clients: int
    known: int | None = None
    strangers: int = 0


def session_of(plan: Plan, context: Context, peers: ArrayRecord | None) -> Session:
    """Return the secure sum in which `masked_values` would be sent, to clients named in `peers`.

    Raises
    ------
    WireError
        If none is under way, or this client has sent its masked values.
    """
    keys, group, state = _held(plan, context)
    _require_unsent(state)
    clients, known = len(group.publics), _known(state)
    if Company.of(context.node_config).clients is None:
        return Session(keys.public, group.threshold, clients)
    places = _places(read_arrays(peers), keys, group)
    there = len(set(places) & set(known) & opened(_inbox(state), keys, group).keys())
    strangers = max(clients - 1 - len(known), len(places) - 1 - there)
    return Session(keys.public, group.threshold, clients, there, strangers)


def flat(sketch: Sketch) -> np.ndarray:
    """Return all numbers of a sketch, int64: its counts, then its sums by name."""
    parts = [sketch.counts, *(sketch.sums[name].flatten() for name in sorted(sketch.sums))]
    return np.concatenate([on_host(part).numpy() for part in parts])


def _keys(asked: _Question) -> Arrays:
    plan, context = asked.plan, asked.context
    if STATE in context.state:
        raise off("one secure sum per run", "a second question for keys")
    Company.of(context.node_config)  # what is wrong with it is said before anything is sent
    keys = Keys.draw()
    signature = signed(context.node_config, keys.public, plan)
    context.state[STATE] = ConfigRecord(
        {"nonce": plan.nonce, "round": plan.round, "keys": keys.to_bytes()}
    )
    found = {"keys": np.frombuffer(keys.public, np.uint8)}
    if signature:
        found["signature"] = np.frombuffer(signature, np.uint8)
    return found


def _shares(asked: _Question) -> Arrays:
    plan, context = asked.plan, asked.context
    publics = read(asked.arrays, "keys", 2)
    if publics.dtype != np.uint8:
        raise off("public keys as bytes", publics.dtype)
    state, company = _state(plan, context), Company.of(context.node_config)
    if "publics" in state:  # shares for another group would let it take this one's masks off
        raise off("one question per round for shares", "a second one")
    keys = Keys.from_bytes(_bytes(state, "keys"))
    group = Group(tuple(row.tobytes() for row in publics), asked.least)
    own, signatures = group.place_of(keys), signature_rows(asked.arrays)
    known = company.places(group, own, signatures, plan)
    sealed = share(keys, group)
    state["publics"], state["least"] = b"".join(group.publics), group.least
    state["signed"] = "signatures" in asked.arrays
    if known is not None:
        state["known"] = known
    rows = [np.frombuffer(sealed[place], np.uint8) for place in sorted(sealed)]
    return {"shares": np.stack(rows)}


def _open(asked: _Question) -> Arrays:
    arrays = asked.arrays
    keys, group, state = _held(asked.plan, asked.context)
    if "heard" in state:
        raise off("one question per round for what opens", "a second one")
    places, sealed = _places(arrays, keys, group), read(arrays, "sealed", 2)
    if sealed.dtype != np.uint8 or sealed.shape != (len(places), SEALED):
        raise off("sealed shares for this client", "others")
    state["heard"], state["sealed"] = places, sealed.tobytes()
    found = opened(_inbox(state), keys, group)
    return {"opened": np.array([place in found for place in places], np.uint8)}


def _confirm(asked: _Question) -> Arrays:
    """Vouch for the list of who stayed, where all in it had the same masks on as this client."""
    keys, group, state = _held(asked.plan, asked.context)
    if not state.get("vouches"):
        raise off("a question about who stayed after the masked sketch", "one before")
    if "stayed" in state:  # who vouches for two lists lets the server act on both
        raise off("one question per round for who stayed", "a second one")
    stayed, places = _places(asked.arrays, keys, group), _placed(state)
    terms = _bytes(state, "terms")
    state["stayed"] = stayed
    if not set(stayed) <= set(places):
        raise off("clients that this one has masks with", "others")
    sent = dict(zip(stayed, tag_rows(asked.arrays, len(stayed)), strict=True))
    alike = vouched(sent, keys, group, told(group, places, terms=terms))
    if alike != set(stayed):
        count = len(stayed) - len(alike)
        got = f"{count} that were told another list or other settings, or whose tag was changed"
        raise off("clients that were told the same as this one", got)
    return {TAGS: tags(keys, group, stayed, told(group, places, stayed, terms=terms))}


def _unmask(asked: _Question) -> Arrays:
    plan, context = asked.plan, asked.context
    keys, group, state = _held(plan, context)
    if "places" not in state:
        raise off("a question for shares after the masked sketch", "one before")
    heard, places, known = _inbox(state), _placed(state), _known(state)
    inbox = {place: heard[place] for place in places}
    # before it answers: another answer could hold the other share of a client
    context.state[STATE] = ConfigRecord({"nonce": plan.nonce, "round": plan.round})
    stayed = sorted_places(asked.arrays)
    if state["vouches"]:
        _require_one_list(asked.arrays, stayed, keys, group, state)
    company, here = Company.of(context.node_config), set(stayed) & opened(inbox, keys, group).keys()
    least_known = int(state["least-known"])  # type: ignore[arg-type]
    company.require(known, here, len(stayed), least_known=least_known)
    given = give_away(inbox, keys, group, stayed=stayed)
    none = bytes(KEY)  # of a client whose shares do not open here
    rows = [np.frombuffer(given.get(place, none), np.uint8) for place in inbox]
    return {"given": np.stack(rows)}


def _require_one_list(
    arrays: Arrays, stayed: list[int], keys: Keys, group: Group, state: ConfigRecord
) -> None:
    """Require that as many as must stay vouch for the list of who stayed that this client has."""
    if stayed != state.get("stayed"):
        raise off("the list of who stayed that this client vouched for", "another")
    givers = sorted_places(arrays, "givers")
    if not set(givers) <= set(stayed):
        raise off("tags of clients that stayed", "tags of others")
    sent = dict(zip(givers, tag_rows(arrays, len(givers)), strict=True))
    content = told(group, _placed(state), stayed, terms=_bytes(state, "terms"))
    alike = vouched(sent, keys, group, content)
    if len(alike) < group.threshold:
        raise off(f"{group.threshold} clients that were told the same list", len(alike))


_STEPS: dict[str, Callable[[_Question], Arrays]] = {
    "keys": _keys,
    "shares": _shares,
    "open": _open,
    "confirm": _confirm,
    "unmask": _unmask,
}


def _state(plan: Plan, context: Context) -> ConfigRecord:
    state = context.state.get(STATE)
    known = isinstance(state, ConfigRecord)
    if not known or (state["nonce"], state["round"]) != (plan.nonce, plan.round):
        raise off(f"keys of round {plan.round}", "none of it: this client restarted, or was late")
    if "keys" not in state:
        raise off("one answer to each question", "a question after the last one")
    return state


def _held(plan: Plan, context: Context) -> tuple[Keys, Group, ConfigRecord]:
    state = _state(plan, context)
    if "publics" not in state:
        raise off("a question for shares first", "none")
    publics = _bytes(state, "publics")
    each = tuple(publics[at : at + 2 * KEY] for at in range(0, len(publics), 2 * KEY))
    group = Group(each, int(state["least"]))  # type: ignore[arg-type]
    return Keys.from_bytes(_bytes(state, "keys")), group, state


def _places(arrays: Arrays, keys: Keys, group: Group) -> list[int]:
    places = sorted_places(arrays)
    if not 0 <= places[0] <= places[-1] < len(group.publics) or group.place_of(keys) not in places:
        raise off("clients of this round, this one among them", "others")
    if len(places) < group.threshold:
        raise off(f"{group.threshold} clients or more", len(places))
    return places


def _placed(state: ConfigRecord) -> list[int]:
    return [int(place) for place in state["places"]]  # type: ignore[union-attr, arg-type]


def _inbox(state: ConfigRecord) -> dict[int, bytes]:
    if "heard" not in state:
        raise off("a question for what opens first", "none")
    sealed, heard = _bytes(state, "sealed"), list(state["heard"])  # type: ignore[arg-type]
    return {int(p): sealed[i * SEALED : (i + 1) * SEALED] for i, p in enumerate(heard)}


def _known(state: ConfigRecord) -> list[int]:
    """Return the places of the clients whose keys are those of one that this client knows."""
    return [int(place) for place in state.get("known", [])]  # type: ignore[union-attr]


def _bytes(state: ConfigRecord, name: str) -> bytes:
    found = state[name]
    assert isinstance(found, bytes)
    return found


def _require_unsent(state: ConfigRecord) -> None:
    """Require that no masked values went: two sums under the same masks give the difference away.

    Raises
    ------
    WireError
        If some did.
    """
    if "places" in state:
        raise off("one question per round for the masked sketch", "a second one")
