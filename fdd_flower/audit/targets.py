"""What is attacked: every distiller and private mode, raw records, FedAvg and exact sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)

from fdd_flower.audit.mechanism import Claim
from fdd_flower.audit.protocol import Known
from fdd_flower.audit.released.base import Release
from fdd_flower.audit.released.private import PrivateSum
from fdd_flower.audit.released.rows import Rows
from fdd_flower.audit.released.sketch import GramSketch
from fdd_flower.audit.released.update import averaged
from fdd_flower.config import Config, find_key, from_run_config, to_run_config
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import DISTILLERS, declares, packing_of
from fdd_flower.errors import ConfigError
from fdd_flower.releases.base import RELEASES
from fdd_flower.releases.terms import spend_of
from fdd_flower.rng import stream
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import build_codec

RAW, FEDAVG, SKETCH = "raw-copy", "fedavg", "sketch"
ROUNDS = {FEDAVG: 1, "fedavg-20-rounds": 20}
EPSILONS = (10.0, 1.0)
DELTA = 1e-5  # of the claims of private modes
WIDTH = 16  # of `dp-sketch`, at most: a million numbers a record take minutes to attack
PRIVATE = {
    f"{mode}-epsilon-{epsilon:g}": (mode, epsilon)
    for mode in RELEASES.names()
    for epsilon in EPSILONS
}
SETTING = "@"  # between a target and a setting of its own

# the client's records, what an attacker knows, the seed of the client's draws -> what leaves it
Releases = Callable[[Split, Known, int], Release]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A way from records to a release.

    Attributes
    ----------
    sends_real
        It says that rows are real records.
    claim
        None: it claims nothing.
    """

    name: str
    release: Releases
    sends_real: bool = False
    claim: Claim | None = None


def targets(cfg: Config, names: Sequence[str] = ()) -> list[Target]:
    """Return what `names` stand for; by default everything there is.

    A distiller or a private mode is attacked because it is registered. `dm@distiller.ipc=50` is the
    target `dm` under one more setting.

    Raises
    ------
    ConfigError
        If a name is unknown.
    """
    known = all_names()
    for name in (given.partition(SETTING)[0] for given in names):
        if name not in known and ":" not in name:
            raise ConfigError(
                "--targets",
                expected=f"names from {', '.join(known)}, or package.module:Factory",
                got=repr(name),
                remedy="Leave it out to attack all of them.",
            )
    return [_target(name, cfg) for name in names or known]


def all_names() -> list[str]:
    """Return the names of all targets: what the others are measured against comes first."""
    return [RAW, *ROUNDS, SKETCH, *PRIVATE, *DISTILLERS.names()]


def _target(given: str, cfg: Config) -> Target:
    name, _, setting = given.partition(SETTING)
    if setting:
        key, _, value = setting.partition("=")
        found = find_key(key)
        cfg = from_run_config({**to_run_config(cfg), found.name: found.parse(value)})
        return replace(_target(name, cfg), name=given)
    if name == RAW:
        return Target(name=name, release=_raw, sends_real=True)
    if name == SKETCH:
        return Target(name=name, release=lambda records, known, _: GramSketch(records, known, cfg))
    if name in PRIVATE:
        return _private(name, cfg)
    if name in ROUNDS:
        return Target(
            name=name,
            release=lambda records, known, seed: averaged(
                records, known, rounds=ROUNDS[name], seed=seed
            ),
        )
    own = replace(cfg, distiller=replace(cfg.distiller, name=name))
    return Target(
        name=name,
        release=lambda records, known, seed: Rows(
            distilled(records, replace(known, cfg=own), seed=seed), known
        ),
        sends_real=declares(name, "sends_real"),
    )


def _private(name: str, cfg: Config) -> Target:
    """Return a private mode that answers once."""
    mode, epsilon = PRIVATE[name]
    privacy = replace(cfg.privacy, mode=mode, epsilon=epsilon, delta=DELTA, sigma=0.0)
    sketch = replace(cfg.sketch, width=min(cfg.sketch.width, WIDTH))
    own = replace(cfg, privacy=privacy, sketch=sketch, num_server_rounds=1)
    sigma = spend_of(own).sigma
    return Target(
        name=name,
        release=lambda records, known, seed: PrivateSum(records, known, own, sigma, seed=seed),
        claim=Claim(epsilon=epsilon, delta=DELTA),
    )


def distilled(records: Split, known: Known, *, seed: int) -> SyntheticSet:
    """Return the set of a client as its receiver has it: distilled, encoded, decoded, unpacked."""
    cfg, plan = known.cfg, known.plan
    distiller = DISTILLERS.get(cfg.distiller.name)(cfg.distiller)
    found = distiller.distill(records, plan=plan, start=None, rng=stream(seed, "client"))
    codec = found.codec or plan.codec or build_codec(cfg.codec, plan.feature_shape)
    sent = codec.decode(
        codec.encode(found.synthetic),
        feature_shape=plan.feature_shape,
        num_classes=len(plan.classes),
    )
    return packing_of(cfg.distiller, plan.feature_shape, plan.codec).unpack(sent)


def _raw(records: Split, known: Known, seed: int) -> Release:
    """Send `distiller.ipc` records of each class as they are."""
    rng = stream(seed, "raw")
    order = torch.randperm(len(records), generator=rng)
    count = known.cfg.distiller.ipc
    held = [order[records.labels[order] == label] for label in range(len(records.classes))]
    places = torch.cat([own[:count] for own in held])
    stand_for = torch.cat(
        [torch.full((len(o[:count]),), len(o) / len(o[:count])) for o in held if len(o)]
    )
    labels = records.labels[places]
    part = SyntheticSet(
        inputs=records.inputs[places],
        targets=F.one_hot(labels, len(records.classes)).float(),
        weights=stand_for,
    )
    return Rows(part, known)
