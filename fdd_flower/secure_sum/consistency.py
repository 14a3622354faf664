"""The check that clients were told the same lists: of whose masks are on, and of who stayed.

The consistency check of Bonawitz et al. ("Practical Secure Aggregation for Privacy-Preserving
Machine Learning", CCS 2017, eprint 2017/281, round 3 against a server that lies). A server that
tells clients different lists of who stayed collects shares of one client's seed from some, and
shares of its neighbours' keys from others, and reads that client's values alone.

So a client vouches to every other client for what it was told: first, beside its masked values, for
the clients that it has masks with; then for those that stayed. It gives shares away once it has
seen that all who stayed had the same masks on, and that as many as must stay vouch for one list of
who stayed. Of n clients of whom c side with the server, no two lists have t clients that vouch
where 2t > n + c.

Where clients share noise they vouch for the settings that it follows from, too: else a server could
tell all but one of them of less noise, and that one would count on theirs.

Differs from the paper: tags under keys of each pair, not signatures. A tag convinces its receiver
alone, which is all that is needed, and it needs no keys but those that seal shares: it is as strong
as those are, and so as the signatures of `identity`. The lists must be of all clients: with
neighbourhoods each client has lists of its own.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from fdd_flower.errors import WireError
from fdd_flower.secure_sum.keys import Keys
from fdd_flower.secure_sum.protocol import Group, pair_key

TAG = 32  # bytes: HMAC with SHA-256


def told(
    group: Group, places: Collection[int], stayed: Collection[int] = (), *, terms: bytes = b""
) -> bytes:
    """Return what a client vouches for: all keys in order, who must stay, the lists, and its terms.

    Parameters
    ----------
    places
        With whom it has masks, itself among them.
    stayed
        Who sent masked values; empty while nobody can know.
    terms
        What its noise follows from, as that of all others must; empty where none is shared.
    """
    keys = hashlib.sha256(b"".join(group.publics)).digest()
    lists = f"{group.threshold} {sorted(places)} {sorted(stayed)}"
    return keys + " ".join([lists, *([terms.hex()] if terms else [])]).encode()


def tags(keys: Keys, group: Group, receivers: Sequence[int], content: bytes) -> np.ndarray:
    """Return a tag of `content` for each receiver, uint8 (n, `TAG`): zeros for the client itself.

    Raises
    ------
    WireError
        If a receiver's public key gives no secret.
    """
    own = group.place_of(keys)
    rows = np.zeros((len(receivers), TAG), np.uint8)
    for row, place in zip(rows, receivers, strict=True):
        if place != own:
            row[:] = np.frombuffer(_tag(keys, group, own, place, content), np.uint8)
    return rows


def vouched(sent: Mapping[int, bytes], keys: Keys, group: Group, content: bytes) -> frozenset[int]:
    """Return the places of who vouches to this client for `content`, itself among them.

    Parameters
    ----------
    sent
        By place: the tag that each one made for this client, as the server says.
    """
    own = group.place_of(keys)
    found = {own}
    for place, tag in sent.items():
        try:
            expected = _tag(keys, group, place, own, content)
        except WireError:  # a public key that gives no secret: nobody can vouch under it
            continue
        if place != own and hmac.compare_digest(tag, expected):
            found.add(place)
    return frozenset(found)


def _tag(keys: Keys, group: Group, sender: int, receiver: int, content: bytes) -> bytes:
    return hmac.digest(pair_key(keys, group, sender, receiver, "lists"), content, "sha256")
