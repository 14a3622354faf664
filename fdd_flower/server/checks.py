"""What must hold before a run begins: components, options, and the server's own records."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from fdd_flower.config import Config, keys, to_run_config
from fdd_flower.data.base import Dataset
from fdd_flower.device import resolve
from fdd_flower.distillers.base import DISTILLERS, Plan
from fdd_flower.distillers.parts.options import check_options, check_plan, settings_of_round
from fdd_flower.errors import ConfigError
from fdd_flower.mergers.base import MERGERS
from fdd_flower.methods.base import COMMON, Method, method_of
from fdd_flower.models.base import Network
from fdd_flower.schema import is_image
from fdd_flower.server.tracking import check_track
from fdd_flower.wire.codecs.base import AUTO, CODECS, build_codec

# What stored settings hold of a key whose default has changed since.
EARLIER = {"codec.name": "uint8"}
# Of settings that one strategy alone uses; each is named like it.
OWN_SECTIONS = ("dynafed", "fedaf", "fedlgd", "sketch")


def check_components(cfg: Config) -> Method:
    """Look up every component that `cfg` names, and build the small ones.

    Raises
    ------
    ConfigError
        If a name is unknown, one does not go with another, or this machine lacks the device.
    """
    resolve(cfg.runtime.device)
    check_track(cfg.output.track)
    if cfg.privacy.mode == "none":
        others = keys_of("privacy", but=["privacy.mode"])
        refuse_changed(cfg, others, "privacy.mode=none")
    method = method_of(cfg)
    if not isinstance(method, Method):
        raise _no_component("strategy", cfg.strategy.name, f"a {type(method).__name__}")
    for registry, part in ((DISTILLERS, cfg.distiller), (MERGERS, cfg.merger), (CODECS, cfg.codec)):
        if registry is CODECS and part.name == AUTO:
            continue
        factory: Any = registry.get(part.name)
        try:
            factory(part)
        except (TypeError, AttributeError) as error:  # not a factory of one settings object
            raise _no_component(registry.kind, part.name, str(error)) from error
    here = f"strategy.name={cfg.strategy.name}"
    if method.uses is not None:
        used = [f"strategy.{_kebab(name)}" for name in (*COMMON, *method.uses)]
        # a private mode is a method of its own
        mode = "" if cfg.privacy.mode == "none" else f" and privacy.mode={cfg.privacy.mode}"
        refuse_changed(cfg, keys_of("strategy", but=used), here + mode)
    if cfg.strategy.pool == "round":
        refuse_changed(cfg, ("strategy.pool-rounds", "strategy.pool-decay"), "strategy.pool=round")
    if (kind := cfg.strategy.finish) != "fine-tune":
        tuning = ("strategy.finish-rounds", "strategy.finish-step")
        refuse_changed(cfg, tuning, f"strategy.finish={kind}")
    uses = getattr(MERGERS.get(cfg.merger.name), "uses", None)
    if uses is not None:
        used = [f"merger.{_kebab(name)}" for name in ("name", *uses)]
        refuse_changed(cfg, keys_of("merger", but=used), f"merger.name={cfg.merger.name}")
    shared = () if cfg.privacy.mode == "none" else ("sketch.secure-sum", "sketch.width")
    for section in OWN_SECTIONS:
        if section != cfg.strategy.name:
            refuse_changed(cfg, keys_of(section, but=shared), here)
    if cfg.strategy.quorum < (needed := method.needs(cfg.strategy)):
        raise ConfigError(
            "strategy.quorum",
            expected=f"at least {needed} with {here}",
            got=cfg.strategy.quorum,
            remedy="It needs that many replies: raise the quorum, or lower "
            f"{' or '.join(f'strategy.{_kebab(name)}' for name in method.uses or ())}.",
        )
    if 0 < cfg.scoring.quota < 1:
        raise ConfigError(
            "scoring.quota",
            expected="0, or equal shares from 1",
            got=cfg.scoring.quota,
            remedy="Below 1 not even equal clients would fit; 1 makes all clients equal.",
        )
    if cfg.scoring.mode != "off" and not (method.distils or method.scored):
        raise ConfigError(
            "scoring.mode",
            expected=f"off with strategy.name={cfg.strategy.name}",
            got=repr(cfg.scoring.mode),
            remedy="Only sets are scored, and the clients of this strategy send none.",
        )
    if not method.distils:
        refuse_changed(cfg, ("scoring.quota",), here)
    return method


def refuse_changed(cfg: Config, unused: Collection[str], where: str) -> None:
    """Refuse a changed setting among those `unused`, by its name in the run config.

    Raises
    ------
    ConfigError
        If there is one; `where` says what does not use it.
    """
    values = to_run_config(cfg)
    for key in (keys()[name] for name in unused):
        if values[key.name] not in (key.default, EARLIER.get(key.name)):
            default = str(key.default).lower() if key.kind is bool else key.default
            raise ConfigError(
                key.name,
                expected=f"{default} with {where}, which does not use it",
                got=values[key.name],
                remedy=f"Leave it at {default}.",
            )


def keys_of(section: str, *, but: Collection[str] = ()) -> list[str]:
    """Return the names of the settings of a section, except some."""
    return [key.name for key in keys().values() if key.section == section and key.name not in but]


def _kebab(name: str) -> str:
    return name.replace("_", "-")


def _no_component(kind: str, name: str, got: str) -> ConfigError:
    return ConfigError(
        f"{kind}.name {name}",
        expected=f"a {kind}, or a factory that takes its settings",
        got=got,
        remedy="See how the built-in ones are made, or use one of them.",
    )


def make_plan(cfg: Config, dataset: Dataset, run_id: str) -> Plan:
    """Return the public plan that every round of the run repeats."""
    return Plan.of(dataset.schema, seed=cfg.seed, run=run_id)


def check_method(method: Method, cfg: Config, plan: Plan, model: Network) -> None:
    """Check the settings of a method against the plan, as each client will.

    Raises
    ------
    ConfigError
        If one does not fit the records, the model or the number of rounds.
    """
    if not cfg.training.augment:
        refuse_changed(cfg, ("training.flip", "training.shift"), "training.augment=false")
    if not is_image(plan.feature_shape):
        where = f"data of shape {plan.feature_shape}"
        refuse_changed(cfg, ("training.flip", "training.shift"), where)
    if method.distils or method.condenses:
        check_distiller(cfg, plan, model)
    if method.check is not None:
        method.check(cfg, plan, model)


def check_distiller(cfg: Config, plan: Plan, model: Network) -> None:
    """Check the options of the distiller against the plan, as each client will.

    Raises
    ------
    ConfigError
        If one does not fit the records, the codec or the number of rounds.
    """
    check_options(cfg.distiller, plan.feature_shape, rounds=cfg.num_server_rounds)
    codec = build_codec(cfg.codec, plan.feature_shape)
    check_plan(settings_of_round(cfg.distiller, 1), replace(plan, model=model, codec=codec))
