"""What noise a budget buys, before any run."""

from __future__ import annotations

import math

from fdd_flower.errors import ConfigError
from fdd_flower.privacy.accountant import sigma_for
from fdd_flower.privacy.expected import MEASURED_IN, expected
from fdd_flower.privacy.mechanism import share_of
from fdd_flower.privacy.sharing import check_one_list, least_of, threshold_of

MOST_DELTA = 0.1  # times the records: what publishes each record with probability delta is DP too


def outlook(
    *,
    mode: str,
    epsilon: float,
    delta: float,
    records: int,
    classes: int,
    clients: int = 1,
    secure_sum: bool = False,
    quorum: int | None = None,
    colluding: int = 0,
    releases: int = 1,
    max_epsilon: float | None = None,
) -> dict[str, object]:
    """Return what to expect of a client's releases, or of the sum of all clients'.

    Parameters
    ----------
    records
        Of one client; its classes are taken to be equally large.
    secure_sum
        Whether clients share the noise of the sum.
    quorum, colluding
        With it: as `strategy.quorum` and `privacy.colluding` of a run. Of n clients more than half
        must stay, and as many as the quorum; None: more than half.
    releases
        How many, of equal noise, the budget is to pay for.
    max_epsilon
        What a client allows over all runs, at the same delta; None: as much as `epsilon`.

    Returns
    -------
    `sigma`: noise multiplier of the total; `sigma_client`: of each client's own noise;
    `noise_on_entry`: standard deviation of the noise on one entry of a class's mean or second
    moment, for records of norm 1; `sigma_by_releases`; `runs_allowed`: how many such runs
    `max_epsilon` pays for; `stay`: how many clients must stay, None where each adds its own noise;
    `accuracy`: what was measured on data like it, see `expected`; `warnings`: sentences.

    Raises
    ------
    ConfigError
        If a value is out of its range, the mode adds no noise, or clients would refuse such a run.
    """
    if mode == "none":
        raise ConfigError(
            "privacy.mode", expected="a private mode", got="'none'", remedy="It adds no noise."
        )
    if quorum is not None and quorum > clients:
        raise ConfigError(
            "quorum",
            expected=f"at most {clients}, as many as there are clients",
            got=quorum,
            remedy="Lower it, or plan for more clients.",
        )
    if colluding and not secure_sum:
        raise ConfigError(
            "colluding",
            expected="0 where each client adds its own noise, as in a run",
            got=colluding,
            remedy="Leave it out, or plan with --secure-sum.",
        )
    stay = threshold_of(clients, least_of(quorum or 1, colluding)) if secure_sum else None
    if stay is not None and stay > clients:
        raise ConfigError(
            "clients",
            expected=f"{stay} or more for this secure sum: so many must stay",
            got=clients,
            remedy="Plan for more clients.",
        )
    one = sigma_for(epsilon, delta)
    own = sigma = sigma_for(epsilon, delta, releases=releases)
    if stay is not None:
        check_one_list(stay, clients, colluding, what="quorum")
        own = share_of(sigma, stay, colluding, 0)
    limit = epsilon if max_epsilon is None else max_epsilon
    total = own * clients**0.5
    # noise of more releases, or of every client apart, is as fewer records
    noise = total * classes / (records * clients)
    return {
        "mode": mode,
        "epsilon": epsilon,
        "delta": delta,
        "records": records,
        "classes": classes,
        "clients": clients,
        "secure_sum": secure_sum,
        "stay": stay,
        "releases": releases,
        "sigma": total,
        "sigma_client": own,
        "noise_on_entry": noise,
        "sigma_by_releases": {n: sigma_for(epsilon, delta, releases=n) for n in (1, 10, 100)},
        "max_epsilon": limit,
        # Gaussian releases compose as 1 / sigma^2 adds up
        "runs_allowed": math.floor((one / sigma_for(limit, delta)) ** 2),
        "accuracy": expected(mode, noise, classes),
        "accuracy_measured_in": MEASURED_IN,
        "warnings": _warnings(delta, records),
    }


def _warnings(delta: float, records: int) -> list[str]:
    if delta * records <= MOST_DELTA:
        return []
    return [
        f"delta = {delta:g} is not well below 1 / records = {1 / records:g}: with that probability "
        f"nothing is promised. Take {MOST_DELTA / records:.0e} or less"
    ]
