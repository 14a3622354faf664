"""Two replies under one client key, or with one set: which of them is kept.

The first to arrive would be simple, and would let a fast liar push out a slow honest client, and
the network decide a run's result. So what decides is what the server knew before the round, then
the order of nodes or keys: the same replies in any order give the same verdicts.

None of it proves who a client is; SuperNode authentication does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from fdd_flower.server.judging.validator import Judged
from fdd_flower.wire.refusals import Code, RefusedError

Replies = Iterable[Judged[Any]]


def client_order(key: str) -> tuple[int, str]:
    """Sort key of client keys: numbers by value before names by letter."""
    # The text too: 3 and 03 are two clients.
    return (int(key) if key.isdecimal() and key.isascii() else 2**63, key)


def keep_one_a_client(judged: Replies, client_at: Mapping[int, str]) -> None:
    """Refuse all but one of the replies that give the same client key.

    The one from a node that had this key in an earlier round stays, else the one from the lowest
    node id, which the SuperLink draws.

    Parameters
    ----------
    client_at
        The client key that each node replied under last.
    """
    for client, twins in _groups(judged, lambda one: one.verdict.client).items():
        for one in sorted(twins, key=lambda o: (client_at.get(o.node) != client, o.node))[1:]:
            one.refuse(
                RefusedError(
                    "reply.meta.client",
                    expected="one reply per client",
                    got="a second one",
                    remedy="Give each client its own client-name in its node config.",
                    code=Code.DUPLICATE_CLIENT,
                )
            )


def keep_one_a_set(judged: Replies, owners: Mapping[str, str], known: Collection[str]) -> None:
    """Refuse a set that another client sent, in this round or before; its own it may repeat.

    A client that starts from its last set sends it again when its steps change nothing. Another
    client has the same one, value for value, only if it copied it or holds the same records:
    it would count twice either way. Of those that send one set for the first time, clients that
    are known from earlier rounds come before new ones, and then the lower key.

    Parameters
    ----------
    owners
        By the identity of a set: the client that sent it first in this run.
    known
        The clients of earlier rounds.
    """
    sets = _groups((o for o in judged if o.identity), lambda one: one.identity)
    for identity, twins in sets.items():
        first = owners.get(identity)
        if first is None:
            order = sorted(twins, key=lambda o: _seniority(o.verdict.client, known))
            first = order[0].verdict.client
        for one in twins:
            if one.verdict.client != first:
                one.refuse(
                    RefusedError(
                        "reply.arrays",
                        expected="a set of its own",
                        got=f"the one that client {first} sent",
                        remedy="Two clients must not hold the same records.",
                        code=Code.DUPLICATE_SET,
                    )
                )


def _seniority(client: str, known: Collection[str]) -> tuple[bool, tuple[int, str]]:
    return client not in known, client_order(client)


def _groups(judged: Replies, name: Any) -> dict[str, list[Judged[Any]]]:
    found: dict[str, list[Judged[Any]]] = {}
    for one in judged:
        if one.verdict.accepted:
            found.setdefault(name(one), []).append(one)
    return found
