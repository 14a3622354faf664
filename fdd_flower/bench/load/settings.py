"""What a load bench is asked to do, checked before any work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fdd_flower.bench.lists import check_list
from fdd_flower.config import Config, Scalar, from_run_config, to_run_config
from fdd_flower.errors import ConfigError
from fdd_flower.run_folder.versions import versions
from fdd_flower.server.checks import check_components
from fdd_flower.wire.codecs.base import resolved

SHAPE = (1, 28, 28)  # of the records, as Fashion-MNIST has them
MOST_CLIENTS = 100_000
LEAST_KILOBYTES, MOST_KILOBYTES = 2.0, 100_000.0
# All else is for clients, or for the training that comes after.
READ = (
    "codec.name", "codec.quality", "distiller.packing", "merger.name", "scoring.quota", "seed",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One bench of load: a round of each number of clients.

    Attributes
    ----------
    clients
        Numbers of clients, in the order given.
    kilobytes
        Of each client's reply, with 1,000 bytes each: nearly, as rows are whole.
    cfg
        The server's settings.
    """

    clients: tuple[int, ...]
    kilobytes: float
    cfg: Config

    def __post_init__(self) -> None:
        check_list("--clients", self.clients)
        for count in self.clients:
            if not 2 <= count <= MOST_CLIENTS:
                raise ConfigError(
                    "--clients",
                    expected=f"numbers from 2 to {MOST_CLIENTS}",
                    got=count,
                    remedy="Name others, separated by commas.",
                )
        if not LEAST_KILOBYTES <= self.kilobytes <= MOST_KILOBYTES:
            raise ConfigError(
                "--kilobytes",
                expected=f"a number from {LEAST_KILOBYTES:g} to {MOST_KILOBYTES:g}",
                got=self.kilobytes,
                remedy="78 is what goal R6 names.",
            )

    def flat(self) -> dict[str, Any]:
        """Return every setting of the bench by name; what may grow is a list."""
        flat = to_run_config(self.cfg)
        return {
            "bench.clients": list(self.clients),
            "bench.kilobytes": self.kilobytes,
            **{key: flat[key] for key in READ},
            **{f"versions.{name}": version for name, version in versions().items()},
        }


def config_from(assignments: Sequence[tuple[str, Scalar]]) -> Config:
    """Return the settings of a server with `assignments` of those that taking in sets reads.

    Raises
    ------
    ConfigError
        If a key is another, or a value is not allowed.
    """
    for key, _ in assignments:
        if key not in READ:
            raise ConfigError(
                f"--set {key}",
                expected=f"one of {', '.join(READ)}",
                got="a setting that is not read here",
                remedy="Leave it out: nothing is distilled and no model trained.",
            )
    cfg = from_run_config(to_run_config(Config()) | dict(assignments))
    cfg = replace(cfg, codec=resolved(cfg.codec, SHAPE))
    check_components(cfg)
    return cfg
