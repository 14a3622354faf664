"""How many clients of a secure sum must stay, where they share its noise."""

from __future__ import annotations

from fdd_flower.errors import ConfigError

LEAST = 2  # clients: the sum of one is that one's own


def least_of(quorum: int, colluding: int) -> int:
    """Return how many must stay by the settings of a run: one more than collude, and 2 at least."""
    return max(LEAST, quorum, colluding + 1)


def threshold_of(clients: int, least: int = LEAST) -> int:
    """Return how many of so many must stay to the end: more than half, and `least`."""
    return max(least, clients // 2 + 1)


def check_one_list(stay: int, clients: int, sided: int, *, what: str = "strategy.quorum") -> None:
    """Refuse a sum of which a server could show honest clients two lists of who stayed.

    Two lists of at least `stay` clients each have more than `sided` clients in common, so that no
    two sums are over disjoint honest clients: `secure_sum.consistency`.

    Parameters
    ----------
    sided
        How many clients side with the server: that collude, or are not known.
    what
        The setting to raise.

    Raises
    ------
    ConfigError
        If they may have fewer.
    """
    if 2 * stay <= clients + sided:
        raise ConfigError(
            what,
            expected=f"above {(clients + sided) // 2}, for a secure sum of {clients} clients of "
            f"whom {sided} may collude or are not known",
            got=stay,
            remedy="Raise it: clients that drop out below it end the sum.",
        )
