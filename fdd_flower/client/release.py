"""A client's half of a private mode: charge its own budget, sum, add noise, keep, send."""

from __future__ import annotations

import math
from dataclasses import asdict

import torch
from flwr.app import ArrayRecord
from torch import Tensor

from fdd_flower.client.memory import state_folder
from fdd_flower.client.records import has_owners_words
from fdd_flower.client.side import ClientSide
from fdd_flower.config import Config, to_run_config
from fdd_flower.device import on_host, resolve
from fdd_flower.errors import ConfigError
from fdd_flower.privacy.budget import Budget, key_of
from fdd_flower.privacy.noise import Noise, discrete_gaussian
from fdd_flower.privacy.sharing import check_one_list
from fdd_flower.privacy.subjects import kept
from fdd_flower.progress_log import say
from fdd_flower.releases.base import Release, release_of
from fdd_flower.releases.coding import beyond, pack, payload_of, planes_of, unpack
from fdd_flower.releases.terms import least_to_stay, own_sigma, promised, spend_of
from fdd_flower.secure_sum.client import Session, masked_values, session_of
from fdd_flower.secure_sum.identity import IDENTITY, KNOWN
from fdd_flower.secure_sum.masks import most_of
from fdd_flower.wire.records import to_array_record
from fdd_flower.wording import many

RELEASE = "release"  # the one array of a reply
# What determines a release, beside the plan, or whether records can be read for it: a refusal tells
# of them, and is charged like a release. Nothing else of the settings does.
SECTIONS = (
    "data.", "privacy.", "distiller.networks", "distiller.width", "distiller.depth", "sketch.",
)  # fmt: skip


def send_release(
    side: ClientSide, *, noise: Noise = discrete_gaussian
) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Return the release of the round, or the one that was sent before for the same question.

    The budget is charged before a record is loaded. With `sketch.secure-sum` each client adds its
    share of the noise, which follows from how many clients must stay to the end; every secure sum
    is charged anew, for the difference of two would otherwise hold a client's share alone. Where
    its owner has a say, it counts only on clients that it knows, and adds the noise of all others
    too.

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
    facts, least_known, clients = _facts(side), 0, 1
    terms = key_of(plan.nonce, plan.round, facts | {"rounds": cfg.num_server_rounds})
    sigma = shared = spend.sigma
    if cfg.sketch.secure_sum:
        session = session_of(plan, side.context, side.peers)
        least_known, clients = _least_known(side, session), session.clients
        # what is frozen with the noise for fewer strangers is no answer where there are more
        facts |= {"session": session.keys.hex(), "strangers": session.strangers}
        shared = own_sigma(cfg, session.stay)
        sigma = with_strangers(shared, session.strangers)
    # releases add up only where all are rounded alike, whatever a client's own noise
    coding = release.coding(shared, sigma)
    _check_room(cfg, coding.end, clients)

    def draw() -> bytes:
        total = _sum(release, side)
        if count := beyond(total, coding):
            say(
                f"client {side.client}: {count} numbers of its release are cut off; "
                f"privacy.most-records={cfg.privacy.most_records} is too few"
            )
        return payload_of(pack(release.sent(total, sigma, coding, noise), coding.bits))

    found = budget.release(key_of(plan.nonce, plan.round, facts), spend, draw)
    planes = planes_of(found, coding.bits)
    if not cfg.sketch.secure_sum:
        return to_array_record({RELEASE: planes}), {}
    values = unpack(planes, release.size).numpy()
    masked = masked_values(
        values,
        side.peers,
        plan=plan,
        context=side.context,
        least=least_to_stay(cfg),
        least_known=least_known,
        terms=bytes.fromhex(terms),
        largest=coding.end,
    )
    return masked, {}


def _sum(release: Release, side: ClientSide) -> Tensor:
    """Return the sum over records, of which those of one subject move it by at most 1 together."""
    data, cfg = side.data, side.cfg
    if not cfg.data.subject:
        return release.sum(data)
    assert data.subjects is not None  # data without subjects was refused
    most = cfg.privacy.records_per_subject
    places = torch.from_numpy(kept(on_host(data.subjects).numpy(), most))
    return release.sum(data.take(places.to(data.labels.device)), most=most)


def _least_known(side: ClientSide, session: Session) -> int:
    """Return how many other clients that this one knows must be there, and stay, for their noise.

    Strangers are assumed to side with the server, as are those who may collude. Two lists of
    clients that stay then have an honest client in common, so that no two sums are over disjoint
    honest clients: `secure_sum.consistency`. A simulated client knows nobody, and takes the run's
    word for who the others are.

    Raises
    ------
    ConfigError
        If so many could read this client's sum with too little noise, or too few clients that it
        knows are there; or if its owner has a say and does not name the clients that it knows.
    """
    node, colluding = side.context.node_config, side.cfg.privacy.colluding
    if session.known is None and has_owners_words(node):
        raise ConfigError(
            f"node config {KNOWN}",
            expected=f"the clients that this one knows, and {IDENTITY}: it counts on their noise",
            got="none",
            remedy="Set both; or set sketch.secure-sum=false, and each client adds all its noise.",
        )
    check_one_list(session.stay, session.clients, colluding + session.strangers)
    least = session.stay - colluding - 1
    if session.known is not None and session.known < least:
        raise ConfigError(
            f"node config {KNOWN}",
            expected=f"{least} other clients of this sum, for their noise",
            got=session.known,
            remedy="Name them; or set sketch.secure-sum=false, and each client adds all its noise.",
        )
    return least


def _check_room(cfg: Config, end: int, clients: int) -> None:
    """Refuse a secure sum that could wrap, by numbers that are public, before any charge.

    Raises
    ------
    ConfigError
        If so many clients with numbers up to `end` do not fit.
    """
    if end >= most_of(clients):
        raise ConfigError(
            "privacy.most-records",
            expected=f"few enough for a secure sum of {many(clients, 'client')}",
            got=cfg.privacy.most_records,
            remedy="Lower it, ask for more noise, or set sketch.secure-sum=false.",
        )


def with_strangers(sigma: float, strangers: int) -> float:
    """Return the noise of a client that also adds what so many strangers may leave out, rounded up.

    Of the clients that must stay, those that neither collude nor are strangers add `sigma` each, by
    the same settings, for which they vouch. So the noise that is missing from the sum is that of
    the strangers.
    """
    return math.nextafter(sigma * math.sqrt(1 + strangers), math.inf) if strangers else sigma


def _facts(side: ClientSide) -> dict[str, object]:
    settings = to_run_config(side.cfg)
    plan = side.plan
    return {
        **{name: value for name, value in settings.items() if name.startswith(SECTIONS)},
        "seed": plan.seed,
        "classes": plan.classes,
        "feature-shape": plan.feature_shape,
        "normalisation": asdict(plan.normalisation),
        "table": [plan.label, *map(repr, plan.columns)],
        "series": [plan.channels, plan.rate],
    }
