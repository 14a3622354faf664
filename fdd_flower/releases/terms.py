"""The terms of a private run, which client and server work out from the same settings."""

from __future__ import annotations

import math
from functools import cache

from fdd_flower.config import Config
from fdd_flower.data.recordings.windows import step_of
from fdd_flower.privacy.accountant import Spend, epsilon_of, sigma_for
from fdd_flower.privacy.card import PrivacyCard, scope_of
from fdd_flower.privacy.mechanism import share_of
from fdd_flower.privacy.sharing import least_of
from fdd_flower.schema import kind_of

_sigma = cache(sigma_for)


def is_private(cfg: Config) -> bool:
    """Tell whether clients send releases."""
    return cfg.privacy.mode != "none"


def spend_of(cfg: Config) -> Spend:
    """Return what a client spends in one round: a release, of what its records add up to.

    All rounds together cost `privacy.epsilon`, unless `privacy.sigma` is given.
    """
    privacy = cfg.privacy
    if privacy.sigma:
        return Spend(privacy.sigma)
    return Spend(_sigma(privacy.epsilon, privacy.delta, releases=cfg.num_server_rounds))


def promised(cfg: Config) -> float:
    """Return the epsilon that the run promises; infinite where it sets a sigma instead."""
    return math.inf if cfg.privacy.sigma else cfg.privacy.epsilon


def least_to_stay(cfg: Config) -> int:
    """Return how many clients must stay in a secure sum, for whose sum noise is shared; 2 at least.

    Each client's noise counts on it: the more must stay, the less noise each one adds.
    """
    return least_of(cfg.strategy.quorum, cfg.privacy.colluding) if is_private(cfg) else 2


def own_sigma(cfg: Config, stay: int) -> float:
    """Return the noise of each client of a secure sum, in which `stay` clients must stay."""
    return share_of(spend_of(cfg).sigma, stay, cfg.privacy.colluding, 0)


def releases_of(cfg: Config, sums: int | None = None) -> int:
    """Return how many releases a client was charged in a run, at most.

    Parameters
    ----------
    sums
        How many secure sums clients were asked for; None: as many as the settings plan. Where a
        sum is asked for again, a client with a promise of the run to keep refuses.
    """
    if sums is None or not cfg.sketch.secure_sum:
        return cfg.num_server_rounds
    return sums if cfg.privacy.sigma else min(sums, cfg.num_server_rounds)


def card_of(
    cfg: Config, *, rows: bool, feature_shape: tuple[int, ...] = (), sums: int | None = None
) -> PrivacyCard:
    """Return the privacy card of a run.

    Parameters
    ----------
    rows
        Whether clients without a guarantee send synthetic records.
    feature_shape
        Of a record: of series, records are windows.
    sums
        See `releases_of`.
    """
    if not is_private(cfg):
        return PrivacyCard.none(rows=rows)
    privacy, spend = cfg.privacy, spend_of(cfg)
    shared = cfg.sketch.secure_sum
    releases = releases_of(cfg, sums)
    windows = _windows(cfg, feature_shape)
    scope = scope_of(subjects=bool(cfg.data.subject), shared=shared, windows=windows)
    whose = (
        "in which each client has its share of the noise, and of which the server learns the sum "
        f"alone (at most {privacy.colluding} other clients may tell it their share)"
        if shared
        else "with the client's own noise"
    )
    return PrivacyCard(
        mode=privacy.mode,
        unit=scope.unit,
        adjacency=scope.adjacency,
        epsilon=epsilon_of([spend] * releases, privacy.delta),
        delta=privacy.delta,
        sigma=spend.sigma,
        releases=releases,
        travels=(
            f"sums over the client's records of bounded public features, {whose}",
            "the client's name, and which question it answers",
            *(("keys and shares of a secure sum among clients",) if shared else ()),
        ),
        outside=(*scope.outside, "the public constants of the mode, chosen on Fashion-MNIST"),
    )


def _windows(cfg: Config, feature_shape: tuple[int, ...]) -> str:
    """Return how the windows of series overlap; empty where records are no windows."""
    data = cfg.data
    if data.name != "series":
        series = bool(feature_shape) and kind_of(feature_shape) == "series"
        return "windows that were cut to overlap have samples in common" if series else ""
    if not data.window:
        return ""
    times = -(-data.window // step_of(data.step, data.window))
    return f"a sample is in up to {times} of them" if times > 1 else "windows do not overlap"
