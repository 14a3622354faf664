"""What must hold before a run begins: components, options, and the server's own records."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from typing import Any

from fdd_flower.config import Config, MergerConfig, keys, to_run_config
from fdd_flower.data.base import Dataset, Split
from fdd_flower.distillers._options import check_options, check_plan, settings_of_round
from fdd_flower.distillers.base import DISTILLERS, Plan
from fdd_flower.errors import ConfigError
from fdd_flower.mergers.base import MERGERS
from fdd_flower.models.base import Network
from fdd_flower.rng import derive
from fdd_flower.scoring import hold_out_root
from fdd_flower.strategies.base import STRATEGIES, Method
from fdd_flower.wire.codecs.base import CODECS


def check_components(cfg: Config) -> Method:
    """Look up every component that `cfg` names, and build the small ones.

    Raises
    ------
    ConfigError
        If a name is unknown, or one does not go with another.
    """
    method = STRATEGIES.get(cfg.strategy.name)
    if not isinstance(method, Method):
        raise _no_component("strategy", cfg.strategy.name, f"a {type(method).__name__}")
    for registry, part in ((DISTILLERS, cfg.distiller), (MERGERS, cfg.merger), (CODECS, cfg.codec)):
        factory: Any = registry.get(part.name)
        try:
            factory(part)
        except (TypeError, AttributeError) as error:  # not a factory of one settings object
            raise _no_component(registry.kind, part.name, str(error)) from error
    _check_merger(cfg.merger)
    if cfg.strategy.name != "sketch":
        refuse_changed(cfg, ("sketch",), f"strategy.name={cfg.strategy.name}")
    if 0 < cfg.scoring.quota < 1:
        raise ConfigError(
            "scoring.quota", expected="0, or equal shares from 1", got=cfg.scoring.quota,
            remedy="Below 1 not even equal clients would fit; 1 makes all equal.",
        )  # fmt: skip
    if cfg.scoring.mode != "off" and not method.distils:
        raise ConfigError(
            "scoring.mode", expected=f"off with strategy.name={cfg.strategy.name}",
            got=repr(cfg.scoring.mode),
            remedy="Only sets are scored, and its clients send none.",
        )  # fmt: skip
    return method


def _check_merger(cfg: MergerConfig) -> None:
    uses = getattr(MERGERS.get(cfg.name), "uses", None)
    for field in fields(cfg):
        value = getattr(cfg, field.name)
        if uses is not None and field.name not in ("name", *uses) and value != field.default:
            raise ConfigError(
                f"merger.{field.name}", expected=f"{field.default} with merger.name={cfg.name}",
                got=value, remedy="That rule does not use it: leave it, or choose another rule.",
            )  # fmt: skip


def refuse_changed(
    cfg: Config, in_sections: Collection[str], where: str, *, used: Collection[str] = ()
) -> None:
    """Refuse a setting of some sections that was changed, and is not among those `used`.

    Raises
    ------
    ConfigError
        If there is one; `where` says what does not use it.
    """
    values = to_run_config(cfg)
    for key in keys().values():
        if key.section in in_sections and key.name not in used and values[key.name] != key.default:
            default = str(key.default).lower() if key.kind is bool else key.default
            raise ConfigError(
                key.name, expected=f"{default} with {where}, which does not use it",
                got=values[key.name], remedy=f"Leave it at {default}.",
            )  # fmt: skip


def server_records(cfg: Config, dataset: Dataset) -> tuple[Split, Split | None]:
    """Return the records to measure accuracy on and, if sets are scored, those to score by.

    Both come from the server's test records, and none is in both.

    Raises
    ------
    DataError
        If there are too few to score by.
    """
    test = dataset.split(dataset.test)
    if cfg.scoring.mode == "off":
        return test, None
    root, rest = hold_out_root(test, per_class=cfg.scoring.root_per_class, seed=cfg.seed)
    return rest, root


def _no_component(kind: str, name: str, got: str) -> ConfigError:
    return ConfigError(
        f"{kind}.name {name}", expected=f"a {kind}, or a factory that takes its settings", got=got,
        remedy="See how the built-in ones are made; one that ships is the simplest choice.",
    )  # fmt: skip


def make_plan(cfg: Config, dataset: Dataset, run_id: str) -> Plan:
    """Return the public plan that every round of the run repeats."""
    return Plan(
        round=0,
        seed=derive(cfg.seed, "plan"),
        nonce=f"{derive(cfg.seed, 'nonce', run_id):016x}",
        classes=dataset.classes,
        feature_shape=dataset.feature_shape,
        normalisation=dataset.normalisation,
    )


def check_method(method: Method, cfg: Config, plan: Plan, model: Network) -> None:
    """Check the settings of a method against the plan, as each client will.

    Raises
    ------
    ConfigError
        If one does not fit the records, the model or the number of rounds.
    """
    if method.distils:
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
    codec = CODECS.get(cfg.codec.name)(cfg.codec)
    check_plan(settings_of_round(cfg.distiller, 1), replace(plan, model=model, codec=codec))
