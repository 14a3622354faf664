"""A client's half of a private mode: charge its own budget, sum, add noise, keep, send."""

from __future__ import annotations

from dataclasses import asdict

import torch
from flwr.app import ArrayRecord
from torch import Tensor

from fdd_flower.client.memory import state_folder
from fdd_flower.client.side import ClientSide
from fdd_flower.config import to_run_config
from fdd_flower.device import on_host, resolve
from fdd_flower.errors import ConfigError
from fdd_flower.privacy.budget import Budget, key_of
from fdd_flower.privacy.noise import Noise, discrete_gaussian
from fdd_flower.privacy.subjects import kept
from fdd_flower.releases.base import Release, release_of
from fdd_flower.releases.coding import coarse, pack, payload_of, planes_of, shift_of, unpack
from fdd_flower.releases.terms import least_to_stay, own_sigma, promised, spend_of
from fdd_flower.secure_sum.client import masked_values, session_of
from fdd_flower.wire.records import to_array_record

RELEASE = "release"  # the one array of a reply
# What determines a release, beside the plan: nothing else of the settings does.
SECTIONS = ("privacy.", "distiller.networks", "distiller.width", "distiller.depth", "sketch.")


def send_release(
    side: ClientSide, *, noise: Noise = discrete_gaussian
) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Return the release of the round, or the one that was sent before for the same question.

    The budget is charged before a record is loaded. With `sketch.secure-sum` each client adds its
    share of the noise, which counts on how many clients must stay to the end; every secure sum is
    charged anew, for the difference of two would otherwise hold a client's share alone.

    Parameters
    ----------
    noise
        Other than the operating system's in tests only.

    Raises
    ------
    BudgetError
        If the client's owner allows no further release.
    FddError
        If the records or the secure sum are not as they must be.
    """
    cfg, plan = side.cfg, side.plan
    release = release_of(cfg, plan, resolve(cfg.runtime.device))
    spend = spend_of(cfg)
    budget = Budget.of(
        side.context.node_config,
        run=plan.nonce,
        epsilon=promised(cfg),
        delta=cfg.privacy.delta,
        client=side.client,
        scratch=state_folder(side),
    )
    budget.check_seeds(release.seeds)
    facts = _facts(side)
    if not cfg.sketch.secure_sum:
        sigma = spend.sigma
    else:
        session, stay, clients = session_of(plan, side.context)
        facts["session"] = session.hex()
        _check_lists(stay, clients, cfg.privacy.colluding)
        sigma = own_sigma(cfg, stay)
    shift = shift_of(sigma, release.unit, release.spread)

    def draw() -> bytes:
        noisy = release.noisy(_sum(release, side), sigma, noise)
        return payload_of(pack(coarse(noisy, shift)))

    planes = planes_of(budget.release(key_of(plan.nonce, plan.round, facts), spend, draw))
    if not cfg.sketch.secure_sum:
        return to_array_record({RELEASE: planes}), {}
    values = unpack(planes, release.size).numpy()
    found = masked_values(
        values, side.peers, plan=plan, context=side.context, least=least_to_stay(cfg)
    )
    return found, {}


def _sum(release: Release, side: ClientSide) -> Tensor:
    """Return the sum over records, of which those of one subject move it by at most 1 together."""
    data, cfg = side.data, side.cfg
    if not cfg.data.subject:
        return release.sum(data)
    assert data.subjects is not None  # data without subjects was refused
    most = cfg.privacy.records_per_subject
    places = torch.from_numpy(kept(on_host(data.subjects).numpy(), most))
    return release.sum(data.take(places.to(data.labels.device)), most=most)


def _check_lists(stay: int, clients: int, colluding: int) -> None:
    """Refuse a sum of which a server could show different clients different lists.

    Two lists of at least `stay` clients each have more than `colluding` clients in common, so that
    no two sums are over disjoint honest clients.

    Raises
    ------
    ConfigError
        If they may have fewer.
    """
    if 2 * stay <= clients + colluding:
        raise ConfigError(
            "strategy.quorum",
            expected=f"above {(clients + colluding) // 2}, for a secure sum of {clients} clients "
            f"of whom {colluding} may collude",
            got=stay,
            remedy="Raise it: clients that drop out below it end the sum.",
        )


def _facts(side: ClientSide) -> dict[str, object]:
    settings = to_run_config(side.cfg)
    plan = side.plan
    return {
        **{name: value for name, value in settings.items() if name.startswith(SECTIONS)},
        "seed": plan.seed,
        "classes": plan.classes,
        "feature-shape": plan.feature_shape,
        "normalisation": asdict(plan.normalisation),
        "data": [settings[f"data.{name}"] for name in ("name", "path", "label", "subject")],
    }
