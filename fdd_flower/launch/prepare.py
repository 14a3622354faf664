"""A new run: checked, and with its own folder, before anything is started."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from fdd_flower.config import NONE, Config, Filled, Scalar, from_run_config, with_preset
from fdd_flower.launch.begun import Begun
from fdd_flower.launch.output import choose, claim
from fdd_flower.launch.preflight import check_absent, preflight

DEFAULT_CLIENTS = 10


def prepare(
    values: Mapping[str, Scalar],
    clients: int | None,
    *,
    absent: Sequence[str] = (),
    own_data: Mapping[str, str] | None = None,
    in_process: bool,
) -> tuple[Begun, list[str]]:
    """Return the checked settings of a new run, its folder claimed, and what it is about to do.

    Parameters
    ----------
    values
        Flat run config.
    clients
        How many to simulate; None: `DEFAULT_CLIENTS`, or one for each group of a column.
    absent, own_data
        As in `Begun`.

    Raises
    ------
    FddError
        If a setting, the data or the folder does not fit; nothing is written then.
    """
    cfg, now = from_run_config(values), datetime.now()
    choose(cfg, now)  # a folder that is taken is told before the data is loaded
    clients = clients or _clients(cfg)
    check_absent(absent, clients, in_process=in_process)
    if "strategy.min-nodes" not in values:
        # all of a simulation's clients join, and some are slower to register
        least = max(cfg.strategy.min_nodes, clients - len(absent))
        cfg = replace(cfg, strategy=replace(cfg.strategy, min_nodes=least))
    name, filled = cfg.preset, resolve_preset(cfg, values)
    cfg = filled.config
    about = preflight(cfg, clients, absent=len(absent), own_data=own_data)
    if filled.chosen or (name != NONE and "preset" in values):
        about.append(filled.words(name))
    cfg = replace(cfg, output=replace(cfg.output, dir=str(claim(cfg, now))))
    begun = Begun(config=cfg, clients=clients, absent=tuple(absent), own_data=own_data or {})
    return begun, about


def resolve_preset(cfg: Config, given: Collection[str]) -> Filled:
    """Return `cfg` with what its preset fills, by the shape of its records.

    Raises
    ------
    FddError
        If the data cannot be read.
    """
    if cfg.preset == NONE:
        return Filled(config=cfg, chosen={})
    from fdd_flower.data import load_dataset

    data = load_dataset(cfg.data, seed=cfg.seed)
    return with_preset(cfg, shape=data.feature_shape, classes=len(data.classes), given=given)


def _clients(cfg: Config) -> int:
    if cfg.partition.name != "column":
        return DEFAULT_CLIENTS
    from fdd_flower.data import load_dataset, natural_groups

    return len(natural_groups(load_dataset(cfg.data, seed=cfg.seed), cfg.partition))
