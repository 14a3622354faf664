"""The terms of a private run, which client and server work out from the same settings."""

from __future__ import annotations

import math
from functools import cache

from fdd_flower.config import Config
from fdd_flower.privacy.accountant import Spend, epsilon_of, sigma_for
from fdd_flower.privacy.card import PrivacyCard, scope_of
from fdd_flower.privacy.mechanism import share_of

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
    return max(2, cfg.strategy.quorum, cfg.privacy.colluding + 1) if is_private(cfg) else 2


def own_sigma(cfg: Config, stay: int) -> float:
    """Return the noise of each client of a secure sum, in which `stay` clients must stay."""
    return share_of(spend_of(cfg).sigma, stay, cfg.privacy.colluding, 0)


def card_of(cfg: Config, *, rows: bool) -> PrivacyCard:
    """Return the privacy card of a run.

    Parameters
    ----------
    rows
        Whether clients without a guarantee send synthetic records.
    """
    if not is_private(cfg):
        return PrivacyCard.none(rows=rows)
    privacy, spend = cfg.privacy, spend_of(cfg)
    shared = cfg.sketch.secure_sum
    scope = scope_of(subjects=bool(cfg.data.subject), shared=shared)
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
        epsilon=epsilon_of([spend] * cfg.num_server_rounds, privacy.delta),
        delta=privacy.delta,
        sigma=spend.sigma,
        releases=cfg.num_server_rounds,
        travels=(
            f"sums over the client's records of bounded public features, {whose}",
            "the client's name, and which question it answers",
            *(("keys and shares of a secure sum among clients",) if shared else ()),
        ),
        outside=(*scope.outside, "the public constants of the mode, chosen on Fashion-MNIST"),
    )
