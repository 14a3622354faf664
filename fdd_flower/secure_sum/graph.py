"""Who shares masks and secrets with whom: a ring in random order, each joined to its nearest.

The graph of SecAgg+ (Bell, Bonawitz, Gascon, Lepoint, Raykova, CCS 2020, its form for a server that
keeps to the protocol): the clients by chance in a ring, k neighbours each, k/2 on either side. Who
colludes, or drops out, is then near a client by chance alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from secrets import SystemRandom

from fdd_flower.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Graph:
    """Neighbourhoods by place: a client's neighbours and itself, sorted.

    A client is told of its neighbourhood alone, and knows each in it by where it stands there: its
    local place. Sorted, so that of two clients both know the same one as the first.
    """

    hoods: tuple[tuple[int, ...], ...]

    @classmethod
    def draw(cls, clients: int, neighbours: int) -> Graph:
        """Return a graph with so many `neighbours` each, an even number, drawn afresh.

        With 0, or as many as there are others, all are neighbours. The chance is the operating
        system's: from the seed of a run, which clients know, they could tell who will be near whom.
        """
        if neighbours == 0 or neighbours >= clients - 1:
            return cls((tuple(range(clients)),) * clients)
        ring, half = list(range(clients)), neighbours // 2
        SystemRandom().shuffle(ring)
        twice = ring * 2  # so that who stands at the end is beside who stands at the start
        hoods = [tuple(sorted(twice[at : at + neighbours + 1])) for at in range(clients)]
        middle = {twice[at + half]: hood for at, hood in enumerate(hoods)}
        return cls(tuple(middle[place] for place in range(clients)))

    def near(self, place: int, among: Collection[int]) -> list[int]:
        """Return who of `among` is in a neighbourhood."""
        return [other for other in self.hoods[place] if other in among]

    def local(self, place: int, among: Collection[int]) -> list[int]:
        """Return the local places of who of `among` is in a neighbourhood."""
        return [at for at, other in enumerate(self.hoods[place]) if other in among]

    def parts(self, among: Collection[int]) -> list[list[int]]:
        """Return the parts of `among` between which there is no edge, the largest first."""
        left, found = set(among), list[list[int]]()
        while left:
            part, new = set[int](), {min(left)}
            while new:
                part |= new
                new = {o for place in new for o in self.near(place, left)} - part
            left -= part
            found.append(sorted(part))
        return sorted(found, key=len, reverse=True)

    def stable(self, holders: Mapping[int, Collection[int]], least: int) -> list[int]:
        """Return who is left when all that too few could unmask are taken out.

        Who is taken out is missed by its neighbours, so it is done until nobody more goes. Of parts
        without an edge between them the largest is left: its sum would show beside that of another.

        Parameters
        ----------
        holders
            By place: in whose hands shares of its secrets are, its own too.
        least
            How many of them must be left.
        """
        left = set(holders)
        while gone := {p for p in left if len(left.intersection(holders[p])) < least}:
            left -= gone
        return next(iter(self.parts(left)), [])


def check_neighbours(neighbours: int) -> None:
    """Check the setting `sketch.neighbours`, whose range is checked already.

    Raises
    ------
    ConfigError
        If it is odd: a ring has as many on either side.
    """
    if neighbours % 2:
        raise ConfigError(
            "sketch.neighbours",
            expected="0 for all other clients, or an even number",
            got=neighbours,
            remedy=f"Set it to {neighbours + 1}: half of them stand on either side of a client.",
        )
