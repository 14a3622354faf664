"""Every check that needs no process started and no file written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_flower.config import Config, find_key
from fdd_flower.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from fdd_flower.data.base import Dataset


def check_absent(absent: Sequence[str], num_clients: int, *, in_process: bool) -> None:
    """Check the keys of clients that never join.

    Raises
    ------
    ConfigError
        If one is none of the `num_clients` or named twice, none would be left, or Flower's
        simulation is asked for it, in which every client joins.
    """
    if not absent:
        return
    known = {str(client) for client in range(num_clients)}
    if not set(absent) < known or len(set(absent)) < len(absent):
        raise ConfigError(
            "--without",
            expected=f"keys from 0 to {num_clients - 1}, each once and not all",
            got=", ".join(absent),
            remedy="`fdd ledger RUN` lists the keys of a run.",
        )
    if not in_process:
        raise ConfigError(
            "--without",
            expected="--in-process with it",
            got="Flower's simulation, in which every client joins",
            remedy="Add --in-process: it gives the same result, bit for bit.",
        )


def preflight(
    cfg: Config, num_clients: int, *, absent: int = 0, own_data: Mapping[str, str] | None = None
) -> list[str]:
    """Build and load what the run will, throw it away, and return lines that say what it is.

    Parameters
    ----------
    num_clients
        Shares that the data is split into.
    absent
        How many of their clients never join.
    own_data
        Of clients that have data of their own, by name; the data is then not split.

    Raises
    ------
    FddError
        If a component is unknown, the data is missing or cannot be split into `num_clients`,
        the model or an option of the distiller does not fit it, or the clients are fewer than a
        round needs.
    """
    from fdd_flower.client.own_settings import check_clients
    from fdd_flower.client.side import new_model
    from fdd_flower.data import load_dataset, shares
    from fdd_flower.launch.outline import outline
    from fdd_flower.run_folder.resume import check_schema
    from fdd_flower.scoring import server_records
    from fdd_flower.server.checks import (
        check_components,
        check_method,
        make_plan,
    )
    from fdd_flower.server.extra_models import check_models
    from fdd_flower.threads import threads
    from fdd_flower.training.metrics import headline

    for name, needed in (
        ("strategy.min-nodes", cfg.strategy.min_nodes),
        ("strategy.quorum", cfg.strategy.quorum),
    ):
        if needed > num_clients - absent:
            less = f" less {absent} that never join" if absent else ""
            raise ConfigError(
                name,
                expected=f"at most --clients = {num_clients}{less}",
                got=needed,
                remedy=f"Run more clients or lower it; the default is {find_key(name).default}.",
            )
    method = check_components(cfg)
    with threads(cfg.runtime.server_threads):
        dataset = load_dataset(cfg.data, seed=cfg.seed)
        if cfg.resume:
            check_schema(Path(cfg.resume), dataset.schema)
        if own_data:
            held = [_own_labels(cfg, dataset, path) for path in own_data.values()]
        else:
            parts = shares(dataset, cfg.partition, num_clients=num_clients, seed=cfg.seed)
            held = [dataset.train.labels[part] for part in parts]
        test, _ = server_records(cfg, dataset)
        headline(cfg.evaluation, test.classes, test.labels.numpy())
        plan = make_plan(cfg, dataset, run_id="preflight")
        model = new_model(cfg, plan)
        check_models(cfg, plan, method)
        check_method(method, cfg, plan, model)
        check_clients(cfg, num_clients)
        return outline(cfg, method, dataset, held, plan, model, own_data=bool(own_data))


def _own_labels(cfg: Config, dataset: Dataset, path: str) -> np.ndarray:
    from fdd_flower.data import load_own

    own = load_own(
        cfg.data,
        path=path,
        classes=dataset.classes,
        feature_shape=dataset.feature_shape,
        normalisation=dataset.normalisation,
        columns=dataset.columns,
        label=dataset.label,
        channels=dataset.channels,
        rate=dataset.rate,
    )
    return own.labels.numpy()
