"""What `fdd run` began: how many clients it simulates, and the settings it gave to Flower.

The number of clients decides how the data is split, and is no setting of the app: Flower has it.
So a run that is resumed must be told it again, and this is where it is kept.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import tomli_w

from fdd_flower.config import (
    BEFORE,
    Config,
    Scalar,
    flatten,
    from_run_config,
    nested,
    to_run_config,
    without_removed,
)
from fdd_flower.errors import ConfigError, DataError, FddError, LaunchError
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.run_folder.resume import changed_settings, kept_settings
from fdd_flower.run_folder.run_dir import RunDir

LAUNCH = "launch.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A simulation as it was started.

    Attributes
    ----------
    clients
        How many shares the data is split into.
    absent
        Keys of those that never join: a run that was made again without them.
    own_data
        Of clients that have data of their own, by name: what a SuperNode's node config would call
        `data-path`. Empty: the data is split into shares.
    """

    config: Config
    clients: int
    absent: tuple[str, ...] = ()
    own_data: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write `launch.toml` just before the run begins; a resumed run keeps the first one.

        Raises
        ------
        LaunchError
            If the folder cannot be written.
        """
        if self.config.resume:
            return
        facts = {
            "clients": self.clients,
            "absent": list(self.absent),
            "own-data": dict(self.own_data),
            "settings": nested(to_run_config(self.config)),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / LAUNCH, tomli_w.dumps(facts).encode())
        except OSError as error:
            raise LaunchError(
                f"output.dir {folder}",
                expected="a folder that can be written",
                got=error.strerror or str(error),
                remedy="Name another folder with --out.",
            ) from error


def read_begun(folder: Path) -> Begun | None:
    """Return what `Begun.write` wrote; None if `fdd run` did not begin this run.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    path = folder / LAUNCH
    if not path.exists():
        return None
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        return Begun(
            config=from_run_config({**BEFORE, **without_removed(flatten(found["settings"]))[0]}),
            clients=int(found["clients"]),
            absent=tuple(map(str, found.get("absent", ()))),
            own_data={name: str(path) for name, path in found.get("own-data", {}).items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, FddError) as error:
        raise DataError(
            str(path),
            expected="what `fdd run` writes before it begins",
            got=repr(error),
            remedy="Start a new run; this one cannot be resumed.",
        ) from error


def take_up(folder: Path, given: Mapping[str, Scalar], clients: int | None) -> Begun:
    """Return the settings and the clients to resume the run in `folder` with.

    What may change, and was given, is written into the run's own settings: there the server
    finds it, which cannot tell a default from a choice.

    Raises
    ------
    FddError
        If there is no such run, or what was given does not fit it.
    """
    begun, kept = read_begun(folder), kept_settings(folder)
    before = kept or (begun.config if begun else None)
    if before is None:
        raise ConfigError(
            f"run {folder}",
            expected="a run that was begun",
            got="no settings of one",
            remedy="Start a new run with --out.",
        )
    cfg = changed_settings(before, folder, given)
    count = begun.clients if begun else clients
    if count is None or (clients is not None and clients != count):
        raise ConfigError(
            "--clients",
            expected="as many as the run began with" + f" ({count})" * bool(count),
            got="none" if clients is None else clients,
            remedy="The number decides how the data is split: give the original one.",
        )
    begun = begun or Begun(config=before, clients=count)
    if kept is None:  # it was killed before its server took the folder: begin it there
        return replace(begun, config=replace(cfg, resume=""))
    if cfg.strategy != before.strategy:
        RunDir(folder).write_config(cfg)
    return replace(begun, config=cfg)
