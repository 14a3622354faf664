"""What a federated bench is asked to do, checked before any work."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fdd_flower.bench.federated.methods import Method
from fdd_flower.bench.federated.splits import settings_of
from fdd_flower.bench.lists import check_list
from fdd_flower.bench.records import HELD_OUT
from fdd_flower.config import Config, Scalar, from_run_config, to_run_config
from fdd_flower.errors import ConfigError, FddError
from fdd_flower.run_folder.versions import versions

# Settings that the bench's own options say.
OWN = {
    "data.name": "--data", "data.holdout": "--holdout", "seed": "--seeds", "output.dir": "--out",
    "resume": "--resume", "runtime.client-threads": "--threads",
    "runtime.server-threads": "--threads", "partition.name": "--splits",
    "partition.alpha": "--splits", "partition.classes-per-client": "--splits",
    "partition.shards-per-client": "--splits", "partition.quantity": "--splits",
    "partition.shift": "--splits",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run of the bench: a method on a split of a data set from a seed."""

    method: str
    data: str
    split: str
    seed: int

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.split}/{_plain(self.method)}-seed{self.seed}"

    def __str__(self) -> str:
        return f"{self.method}, {self.data}, {self.split}, seed {self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Federated:
    """One bench: every method on every split of every data set from every seed.

    Attributes
    ----------
    methods
        Each with its settings, which go before the common ones.
    splits
        Short names of cuts; see `splits`.
    seeds
        Of the cut, the models and all draws.
    clients
        Among which the records are split.
    data
        Settings of each data set, by the name that it has here.
    common
        Settings of all methods.
    holdout
        Measure on a tenth of the training records: for choosing settings.
    threads
        Of a client and of the server.
    """

    methods: tuple[Method, ...]
    splits: tuple[str, ...]
    seeds: tuple[int, ...]
    clients: int
    data: Mapping[str, Mapping[str, Scalar]]
    common: Mapping[str, Scalar] = field(default_factory=dict)
    holdout: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        check_list("--methods", [_plain(method.name) for method in self.methods])
        check_list("--data", tuple(self.data))
        check_list("--splits", self.splits)
        check_list("--seeds", self.seeds)
        for values in (self.common, *(method.settings for method in self.methods)):
            for key in values:
                if key in OWN:
                    raise ConfigError(
                        key,
                        expected=f"the option {OWN[key]} of the bench",
                        got="a setting",
                        remedy=f"Say it with {OWN[key]}, for all methods alike.",
                    )

    def cells(self) -> Iterator[Cell]:
        """Return the runs: all that there are of a seed before the next seed."""
        for seed in self.seeds:
            for data in self.data:
                for split in self.splits:
                    for method in self.methods:
                        yield Cell(method=method.name, data=data, split=split, seed=seed)

    def place(self, cell: Cell) -> str:
        """Return the folder of a run within that of all runs."""
        return f"{_plain(cell.data)}/{cell.name}" if len(self.data) > 1 else cell.name

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return which methods are compared with which others, as far as both are here."""
        here = {method.name for method in self.methods}
        return tuple((m.name, other) for m in self.methods for other in m.beside if other in here)

    def settings(self, cell: Cell) -> Config:
        """Return the settings of a run, without its folder and with its preset open.

        Raises
        ------
        ConfigError
            If a key or value is not allowed.
        """
        return from_run_config(self.given(cell))

    def given(self, cell: Cell) -> dict[str, Scalar]:
        """Return the settings of a run that are not left open, by key."""
        method = next(m for m in self.methods if m.name == cell.method)
        own: dict[str, Scalar] = {
            **self.data[cell.data],
            "data.holdout": HELD_OUT if self.holdout else 0.0,
            "seed": cell.seed,
            "runtime.client-threads": self.threads,
            "runtime.server-threads": self.threads,
        }
        return {**self.common, **method.settings, **settings_of(cell.split), **own}

    def flat(self) -> dict[str, Any]:
        """Return every setting of the bench by name; what may grow is a list."""
        found: dict[str, Any] = {
            "bench.methods": [method.name for method in self.methods],
            "bench.splits": list(self.splits),
            "bench.seeds": list(self.seeds),
            "bench.clients": self.clients,
            "bench.holdout": self.holdout,
            "bench.threads": self.threads,
        }
        if len(self.data) == 1:
            found["bench.data"] = next(iter(self.data))
        else:
            found["bench.data"] = list(self.data)
            found |= {
                f"data.{_plain(name)}": [f"{key} = {value}" for key, value in sorted(own.items())]
                for name, own in self.data.items()
            }
        base = to_run_config(Config()) | dict(self.common)
        found |= {f"common.{k}": v for k, v in base.items() if k not in OWN}
        for method in self.methods:  # a list, so that a setting that was left out shows too
            found[f"methods.{_plain(method.name)}"] = [
                f"{key} = {value}" for key, value in sorted(method.settings.items())
            ]
        return found | {f"versions.{k}": v for k, v in versions().items()}


def check(bench: Federated) -> None:
    """Build what every method on every split will, and throw it away.

    Raises
    ------
    FddError
        If a setting does not fit the records, the clients, or another setting.
    """
    from fdd_flower.launch.preflight import preflight
    from fdd_flower.launch.prepare import resolve_preset

    for cell in bench.cells():
        if cell.seed != bench.seeds[0]:
            break
        cfg = bench.settings(cell)  # what it raises names the split itself
        try:
            preflight(resolve_preset(cfg, bench.given(cell)).config, bench.clients)
        except FddError as error:
            raise type(error)(
                f"method {cell.method} on {cell.data}, {cell.split}, {error.what}",
                expected=error.expected,
                got=error.got,
                remedy=error.remedy,
            ) from error


def _plain(name: str) -> str:
    """Return `name` fit for a folder's name and a key of TOML."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "custom"
