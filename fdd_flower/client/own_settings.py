"""A client's own budgets: what its device can do decides, below what the run asks for."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from fdd_flower.config import Config, Scalar, find_key, flatten, from_run_config, to_run_config
from fdd_flower.errors import ConfigError
from fdd_flower.releases.terms import is_private

# Budgets, and which networks embed the records: none of it changes what a set means to the server.
OWN = (
    "distiller.bytes", "distiller.depth", "distiller.ipc", "distiller.networks", "distiller.pool",
    "distiller.sample", "distiller.seconds", "distiller.steps", "distiller.width",
)  # fmt: skip
AT_MOST = ("distiller.bytes", "distiller.ipc")  # the server refuses more than it asked for


def with_own(cfg: Config, node: Mapping[str, Scalar], client: str) -> Config:
    """Return the settings of a run as this client follows them.

    Its node config may hold any of `OWN`; a simulated client finds them in the table of its key in
    `runtime.clients-file`.

    Raises
    ------
    ConfigError
        If one has a wrong type or range, or is above the run's; or the clients' sums are added,
        which they can be only where all are of the same features.
    """
    own = {name: node[name] for name in OWN if name in node}
    if cfg.runtime.clients_file and "partition-id" in node:
        own = read_clients(cfg.runtime.clients_file).get(client, {}) | own
    if not own:
        return cfg
    if cfg.strategy.name == "sketch" or is_private(cfg):
        private = f"privacy.mode={cfg.privacy.mode}"
        raise ConfigError(
            f"{min(own)} of client {client}",
            expected=f"none with {private if is_private(cfg) else 'strategy.name=sketch'}",
            got=own[min(own)],
            remedy="Leave it out: sums add up only if all are made the same way.",
        )
    asked = to_run_config(cfg)
    for name, value in own.items():
        _check(name, value, asked[name], client)
    return from_run_config(asked | own)


def read_clients(path: str) -> dict[str, dict[str, Scalar]]:
    """Return each client's own settings, by its key, from a TOML file with a table per client.

    Raises
    ------
    ConfigError
        If it cannot be read, or holds something else.
    """
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        got = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise _broken(path, "a readable TOML file", got) from error
    found = {}
    for client, table in tables.items():
        if not isinstance(table, dict):
            raise _broken(path, "a table of settings for each client", f"{client} = {table!r}")
        own = flatten(table)
        for name in own:
            if name not in OWN:
                raise _broken(path, f"only {', '.join(OWN)}", f"{name} of client {client}")
        found[client] = own
    return found


def check_clients(cfg: Config, num_clients: int) -> None:
    """Check every client's own settings, before a run is started.

    Raises
    ------
    ConfigError
        If the file cannot be read, names a client that there is not, or holds a setting that does
        not fit.
    """
    if not cfg.runtime.clients_file:
        return
    found = read_clients(cfg.runtime.clients_file)
    for client in found:
        if client not in map(str, range(num_clients)):
            raise _broken(
                cfg.runtime.clients_file, f"tables for clients 0 to {num_clients - 1}", client
            )
        with_own(cfg, {"partition-id": int(client)}, client)


def _check(name: str, value: Scalar, asked: Scalar, client: str) -> None:
    checked = find_key(name).check(value)
    if name in AT_MOST and not 0 < float(checked) <= float(asked):
        raise ConfigError(
            f"{name} of client {client}",
            expected=f"from 1 to {asked}, as the run asks for" if asked else "none, as in the run",
            got=value,
            remedy="Lower it for the client, or raise it for the run.",
        )


def _broken(path: str, expected: str, got: str) -> ConfigError:
    return ConfigError(
        f"runtime.clients-file {path}",
        expected=expected,
        got=got,
        remedy="Write, for example, [3] and under it distiller.ipc = 5.",
    )
