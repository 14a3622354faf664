"""Everything that can be known to be wrong before a process is started or a file written."""

from __future__ import annotations

from fdd_flower.config import Config, find_key
from fdd_flower.errors import ConfigError


def preflight(cfg: Config, num_clients: int) -> None:
    """Build and load what the run will, and throw it away.

    Raises
    ------
    FddError
        If a component is unknown, the data is missing or cannot be cut into `num_clients`,
        the model or an option of the distiller does not fit it, or the clients are fewer than a
        round needs.
    """
    from fdd_flower.data import load_dataset
    from fdd_flower.data.partition import partition_indices
    from fdd_flower.strategies._checks import (
        check_components,
        check_distiller,
        make_plan,
        server_records,
    )
    from fdd_flower.strategies.base import new_model
    from fdd_flower.threads import threads

    for name, needed in (
        ("strategy.min-nodes", cfg.strategy.min_nodes),
        ("strategy.quorum", cfg.strategy.quorum),
    ):
        if needed > num_clients:
            raise ConfigError(
                name,
                expected=f"at most --clients = {num_clients}",
                got=needed,
                remedy=f"Run more clients or lower it; the default is {find_key(name).default}.",
            )
    method = check_components(cfg)
    with threads(cfg.runtime.server_threads):
        dataset = load_dataset(cfg.data, seed=cfg.seed)
        partition_indices(
            dataset.train.labels, cfg.partition, num_clients=num_clients, seed=cfg.seed
        )
        server_records(cfg, dataset)
        plan = make_plan(cfg, dataset, run_id="preflight")
        model = new_model(cfg, plan)
        if method.distils:
            check_distiller(cfg, plan, model)
