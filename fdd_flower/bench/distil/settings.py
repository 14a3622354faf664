"""What a bench is asked to do, checked before any work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fdd_flower.bench.lists import check_list
from fdd_flower.config import (
    NONE,
    Config,
    DistillerConfig,
    Scalar,
    find_key,
    from_run_config,
    to_run_config,
)
from fdd_flower.data import load_dataset
from fdd_flower.distillers.base import ignored_by
from fdd_flower.errors import ConfigError
from fdd_flower.models import resolve_name
from fdd_flower.schema import is_image

RIDGE = "ridge"
BASELINES = ("random", "herding", "kmeans")
FULL_MULTIPLE = 4  # steps on all records, for one on a set

# Settings that the bench's own options say.
OWN = {
    "data.name": "--data", "distiller.name": "--distillers", "distiller.ipc": "--ipc",
    "model.name": "--models", "output.dir": "--out", "runtime.client-threads": "--threads",
    "runtime.server-threads": "--threads",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One bench: every distiller at every IPC from every seed, on every evaluation model.

    Attributes
    ----------
    cfg
        All other settings; `cfg.seed` draws the test split or the held-out records, so that
        every row is measured on the same ones.
    single_class
        Each class is distilled as a client of its own, with as many rows in all.
    holdout
        Measure on a tenth of the training records, and distil only the rest: for choosing
        settings. Otherwise the test split is measured on.
    full_steps
        Training steps on all records; 0: without those rows.
    """

    cfg: Config
    distillers: tuple[str, ...]
    ipcs: tuple[int, ...]
    seeds: tuple[int, ...]
    models: tuple[str, ...]
    single_class: bool = False
    holdout: bool = False
    full_steps: int = 0

    def __post_init__(self) -> None:
        check_list("--distillers", self.distillers)
        check_list("--ipc", self.ipcs)
        check_list("--seeds", self.seeds)
        check_list("--models", self.models)
        for value in self.ipcs:
            _check_number("--ipc", "distiller.ipc", value)
        for value in self.seeds:
            _check_number("--seeds", "seed", value)
        if self.full_steps:
            _check_number("--full-steps", "training.steps", self.full_steps)
        if self.cfg.distiller.bytes and len(self.ipcs) > 1:
            raise ConfigError(
                "--ipc",
                expected="one value, as distiller.bytes says how many rows there are",
                got=len(self.ipcs),
                remedy="Leave distiller.bytes at 0, or give one --ipc.",
            )

    def settings(self, distiller: str, ipc: int) -> Config:
        """Return the settings of one distillation."""
        part = replace(self.cfg.distiller, name=distiller, ipc=ipc)
        if len(self.distillers) > 1:
            # what is set for all of them counts for those that use it
            unused = {name: getattr(DistillerConfig(), name) for name in ignored_by(distiller)}
            part = replace(part, **unused)
        return replace(self.cfg, distiller=part)

    def baseline(self, distiller: str, ipc: int) -> Config:
        """Return the settings of a baseline: records packed and labelled as the set's are.

        Packing alone is worth points, which are not the distiller's.
        """
        cfg = self.settings(distiller, ipc)
        plain = replace(cfg.distiller, bytes=0, codec_aware=False)
        return replace(cfg, distiller=plain)


def default_models(cfg: Config) -> tuple[str, ...]:
    """Return the evaluation models for records of the shape that `cfg.data` has."""
    shape = load_dataset(cfg.data, seed=cfg.seed).feature_shape
    best = resolve_name("auto", shape)
    if not is_image(shape):
        return (best, RIDGE, "sk-logistic")
    return (best, RIDGE) if best == "convnet" else (best, "convnet", RIDGE)


def config_from(data: str, assignments: Sequence[tuple[str, Scalar]], *, threads: int) -> Config:
    """Return the settings of a bench on `data` with `assignments` of other keys.

    Raises
    ------
    ConfigError
        If a key is one that an option of the bench says, or a value is not allowed.
    """
    for key, value in assignments:
        if key in OWN:
            raise ConfigError(
                f"--set {key}",
                expected=f"the option {OWN[key]} of the bench",
                got="--set",
                remedy=f"Say it with {OWN[key]}.",
            )
        if key == "preset" and value != NONE:
            raise ConfigError(
                "--set preset",
                expected="settings one by one, and no preset: distillers are measured with these",
                got="a preset",
                remedy="Leave it out; `fdd bench federated` measures presets.",
            )
    flat = to_run_config(Config()) | dict(assignments)
    flat |= {"data.name": data, "preset": NONE}
    flat |= {"runtime.client-threads": threads, "runtime.server-threads": threads}
    return from_run_config(flat)


def _check_number(option: str, key: str, value: int) -> None:
    try:
        find_key(key).check(value)
    except ConfigError as error:
        raise ConfigError(
            option, expected=error.expected, got=value, remedy=f"Name other values in {option}."
        ) from None
