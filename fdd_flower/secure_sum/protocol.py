"""The steps of a secure sum: keys, shares that open, masked values, and taking the masks off.

SecAgg+ (Bell, Bonawitz, Gascon, Lepoint, Raykova, "Secure Single-Server Aggregation with
(Poly)Logarithmic Overhead", CCS 2020), in its form for a server that keeps to the protocol: masks
and shares are between the neighbours of a `graph.Graph`. Where all are neighbours it is SecAgg
(Bonawitz et al., "Practical Secure Aggregation for Privacy-Preserving Machine Learning", CCS 2017).
Differs: one key agreement (X25519) for both uses, with a key of its own for each; ChaCha20 for
masks; a client holds a share of its own secrets too.

A client knows the others of its neighbourhood by their place in the list of public keys that the
server sends to it, and of no more clients. Only `unmask`, the server's part, has places of all.

The server learns the sum over the clients that sent masked values, and nothing else, as long as
fewer than `threshold` clients of a neighbourhood tell it what they hold, and those that do not tell
are one part of the graph. A client gives away, of each other one, a share of the seed or a share of
the key, never both. A server that does not keep to the protocol can tell clients different lists of
who stayed: against that, see `consistency`.

That shares open says that their sender sealed them for who opens them, and not that they are of its
secrets: a client that shares other ones spoils the sum, as one that sends nonsense does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from fdd_flower.errors import WireError
from fdd_flower.privacy.sharing import LEAST, threshold_of
from fdd_flower.secure_sum.graph import Graph
from fdd_flower.secure_sum.keys import (
    KEY,
    Keys,
    agreed,
    joined,
    public_of,
    seal,
    shares_of,
    unseal,
)
from fdd_flower.secure_sum.masks import add, stretched


@dataclass(frozen=True, slots=True)
class Group:
    """Clients by their public keys: a neighbourhood, in the order that the server told.

    The server has a group of all clients of the round too, to which neighbourhoods keep the order.

    Attributes
    ----------
    least
        How many must stay to the end, where that is more than half: clients and server know it
        from the settings of the run. So many shares of a secret give it.

    Raises
    ------
    WireError
        If they are too few, or two have the same keys.
    """

    publics: tuple[bytes, ...]
    least: int = LEAST

    def __post_init__(self) -> None:
        whole = all(len(public) == 2 * KEY for public in self.publics)
        distinct = len(set(self.publics)) == len(self.publics)
        if not (whole and distinct and len(self.publics) >= max(LEAST, self.least)):
            raise WireError(
                "clients of the secure sum",
                expected=f"{max(LEAST, self.least)} or more with keys of their own",
                got=f"{len(self.publics)}",
                remedy="Wait for more clients: strategy.min-nodes.",
            )

    @property
    def threshold(self) -> int:
        """How many clients must stay to the end."""
        return threshold_of(len(self.publics), self.least)

    def place_of(self, keys: Keys) -> int:
        """Return the place of the client with these keys.

        Raises
        ------
        WireError
            If it has none.
        """
        if keys.public not in self.publics:
            raise WireError(
                "clients of the secure sum",
                expected="this client among them",
                got="others",
                remedy="This client stays out of the round.",
            )
        return self.publics.index(keys.public)


def pair_key(keys: Keys, group: Group, sender: int, receiver: int, purpose: str) -> bytes:
    """Return the key of what one client says to another, for one purpose.

    One for each direction: no key seals twice. By public keys, as a pair's two groups may differ.

    Raises
    ------
    WireError
        If the other's public key gives no secret.
    """
    other = group.publics[receiver if group.publics[sender] == keys.public else sender]
    label = f"{purpose} {group.publics[sender].hex()} to {group.publics[receiver].hex()}"
    return agreed(keys.sealing, other[:KEY], label)


def share(keys: Keys, group: Group) -> dict[int, bytes]:
    """Return for every place, its own too, a share of seed and masking key, sealed for it."""
    own, count = group.place_of(keys), len(group.publics)
    seeds = shares_of(keys.seed, group.threshold, count)
    maskings = shares_of(keys.masking, group.threshold, count)
    return {
        place: seal(
            pair_key(keys, group, own, place, "shares"), seeds[place] + maskings[place], b"shares"
        )
        for place in range(count)
    }


def mask(values: np.ndarray, keys: Keys, group: Group, present: Collection[int]) -> np.ndarray:
    """Return numbers of the ring (n,) under the client's masks.

    Parameters
    ----------
    present
        The places, this one among them, whose shares reached the server: with each of the others
        there is a mask.
    """
    own, total = group.place_of(keys), add(values, stretched(keys.seed, len(values)))
    for place in sorted(set(present) - {own}):
        seed = agreed(keys.masking, group.publics[place][KEY:], "mask")
        total = add(total, stretched(seed, len(values)), sign=1 if own < place else -1)
    return total


def opened(sealed: Mapping[int, bytes], keys: Keys, group: Group) -> dict[int, bytes]:
    """Return by place the two shares, 64 bytes, that a client sealed for this one.

    What does not open is left out: its sender, or who passed it on, made something else of it.
    """
    own, found = group.place_of(keys), dict[int, bytes]()
    for place, content in sealed.items():
        with suppress(WireError):
            key = pair_key(keys, group, place, own, "shares")
            found[place] = unseal(key, content, b"shares")
    return found


def give_away(
    sealed: Mapping[int, bytes], keys: Keys, group: Group, *, stayed: Collection[int]
) -> dict[int, bytes]:
    """Return by place a share of 32 bytes: of the seed of those that stayed, else of the key.

    None of a client whose shares do not open.

    Parameters
    ----------
    sealed
        By place: what each client whose shares reached the server sealed for this one.
    stayed
        The places that sent masked values.

    Raises
    ------
    WireError
        If too few stayed, this one did not, or one sent no shares.
    """
    own, kept = group.place_of(keys), set(stayed)
    if len(kept) < group.threshold or own not in kept or not kept <= set(sealed):
        raise WireError(
            "clients that stayed",
            expected=f"at least {group.threshold} that sent shares",
            got=f"{len(kept)}",
            remedy="This client gives no share away.",
        )
    found = opened(sealed, keys, group).items()
    return {place: both[:KEY] if place in kept else both[KEY:] for place, both in found}


def unmask(
    masked: Mapping[int, np.ndarray],
    given: Mapping[int, Mapping[int, bytes]],
    group: Group,
    present: Collection[int],
    graph: Graph,
) -> np.ndarray:
    """Return the sum over the clients that sent masked values, in the ring.

    Parameters
    ----------
    masked
        Masked values by place.
    given
        By the place of who gave it, what `give_away` returned, by places of all.
    group
        All clients of the round.
    present
        The places whose shares reached the server.
    graph
        Who is whose neighbour.

    Raises
    ------
    WireError
        If nobody sent masked values, fewer than the threshold gave shares of a secret, or they give
        another one.
    """
    if not masked:
        raise WireError(
            "masked values of the secure sum",
            expected="those of at least one client",
            got="none",
            remedy="Resume the run: the round is then asked again, with fresh keys.",
        )
    some = next(iter(masked.values()))
    total = np.zeros_like(some)
    for values in masked.values():
        total = add(total, values)
    for place in sorted(present):
        held = {giver: shares[place] for giver, shares in given.items() if place in shares}
        threshold = threshold_of(len(graph.hoods[place]), group.least)
        secret = _recovered(held, graph.hoods[place], place, threshold)
        if place in masked:
            total = add(total, stretched(secret, len(some)), sign=-1)
            continue
        if public_of(secret) != group.publics[place][KEY:]:
            raise _not_recovered(place, "shares of another key")
        for other in graph.near(place, masked):
            seed = agreed(secret, group.publics[other][KEY:], "mask")
            total = add(total, stretched(seed, len(some)), sign=1 if place < other else -1)
    return total


def _recovered(held: Mapping[int, bytes], hood: Sequence[int], place: int, threshold: int) -> bytes:
    # shares are numbered by local places, those of who cut them
    shares = {at: held[giver] for at, giver in enumerate(hood) if giver in held}
    if len(shares) < threshold:
        raise _not_recovered(place, f"{len(shares)} shares")
    return joined(dict(sorted(shares.items())[:threshold]))


def _not_recovered(place: int, got: str) -> WireError:
    return WireError(
        f"secret of client {place} of the secure sum",
        expected="enough shares of it",
        got=got,
        remedy="Resume the run: the round is then asked again, with fresh keys.",
    )
