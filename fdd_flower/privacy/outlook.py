"""What noise a budget buys, before any run."""

from __future__ import annotations

import math

from fdd_flower.errors import ConfigError
from fdd_flower.privacy.accountant import sigma_for
from fdd_flower.privacy.expected import MEASURED_ON, expected_accuracy
from fdd_flower.privacy.mechanism import share_of


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
        With it: how many must stay to the end, None: all; how many of them may tell their noise.
    releases
        How many, of equal noise, the budget is to pay for.
    max_epsilon
        What a client allows over all runs, at the same delta; None: as much as `epsilon`.

    Returns
    -------
    `sigma`: noise multiplier of the total; `sigma_client`: of each client's own noise;
    `noise_on_entry`: standard deviation of the noise on one entry of a class's mean or second
    moment, for records of norm 1; `sigma_by_releases`; `runs_allowed`: how many such runs
    `max_epsilon` pays for; `accuracy`, or None where none was measured.

    Raises
    ------
    ConfigError
        If a value is out of its range, or the mode adds no noise.
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
    one = sigma_for(epsilon, delta)
    sigma = sigma_for(epsilon, delta, releases=releases)
    limit = epsilon if max_epsilon is None else max_epsilon
    stay = clients if quorum is None else quorum
    own = share_of(sigma, stay, colluding, 0) if secure_sum else sigma
    total = own * clients**0.5
    everyone = records * clients
    # noise of more releases, or of every client apart, is as fewer records
    alike = round(everyone * one / total)
    return {
        "mode": mode,
        "epsilon": epsilon,
        "delta": delta,
        "records": records,
        "classes": classes,
        "clients": clients,
        "secure_sum": secure_sum,
        "releases": releases,
        "sigma": total,
        "sigma_client": own,
        "noise_on_entry": total * classes / everyone,
        "sigma_by_releases": {n: sigma_for(epsilon, delta, releases=n) for n in (1, 10, 100)},
        "max_epsilon": limit,
        # Gaussian releases compose as 1 / sigma^2 adds up
        "runs_allowed": math.floor((one / sigma_for(limit, delta)) ** 2),
        "accuracy": expected_accuracy(mode, epsilon, alike),
        "accuracy_measured_on": MEASURED_ON,
    }
