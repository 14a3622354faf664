"""The checks of a bench before any work."""

from __future__ import annotations

from dataclasses import replace

from fdd_flower.bench.distil.recipe import check_model
from fdd_flower.bench.distil.settings import BASELINES, Bench
from fdd_flower.bench.records import Material, load_material, make_plan
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.parts.options import check_options, check_plan
from fdd_flower.errors import ConfigError


def prepare(bench: Bench) -> Material:
    """Return the records of `bench`, once nothing is found that is wrong with it.

    Raises
    ------
    FddError
        If a name is unknown, an option does not fit, or a model cannot take the records.
    """
    for name in (*bench.distillers, *BASELINES):
        _check_distiller(name, bench)
    material = load_material(bench.cfg, holdout=bench.holdout)
    plan = make_plan(bench.cfg, material.dataset, bench.seeds[0])
    for name in bench.distillers:
        for ipc in bench.ipcs:
            cfg = bench.settings(name, ipc).distiller
            check_options(cfg, plan.feature_shape, rounds=1)
            check_plan(replace(cfg, bytes=_bytes_of_a_client(bench, material)), plan)
    for name in bench.models:
        check_model(name, bench.cfg, material.test)
    return material


def _bytes_of_a_client(bench: Bench, material: Material) -> int:
    """Return the budget of each client: clients of one class share what one client would have."""
    cfg = bench.cfg.distiller
    if not (cfg.bytes and bench.single_class):
        return cfg.bytes
    clients = int((material.train.labels.bincount() >= cfg.min_records).sum())
    return max(1, cfg.bytes // max(1, clients))


def _check_distiller(name: str, bench: Bench) -> None:
    if name not in DISTILLERS.names() and ":" not in name:
        raise ConfigError(
            "--distillers",
            expected=f"names among {', '.join(DISTILLERS.names())}, or package.module:Factory",
            got=repr(name),
            remedy="Choose from these in --distillers.",
        )
    factory = DISTILLERS.get(name)
    try:
        factory(bench.settings(name, bench.ipcs[0]).distiller)
    except (TypeError, AttributeError) as error:
        raise ConfigError(
            f"--distillers {name}",
            expected="a factory that takes its settings",
            got=str(error),
            remedy="See how the built-in distillers are made.",
        ) from error
