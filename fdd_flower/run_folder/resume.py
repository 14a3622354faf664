"""The settings of a resumed run: the original ones, except those that do not affect the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fdd_flower.config import Config, Scalar, from_run_config, keys, to_run_config
from fdd_flower.errors import ConfigError, DataError
from fdd_flower.run_folder.facts.schema_file import load_schema
from fdd_flower.run_folder.load import read_config
from fdd_flower.run_folder.run_dir import CONFIG, SCHEMA
from fdd_flower.run_folder.trust import check_plain, outside_names, require_trust
from fdd_flower.schema import Schema

# how long to wait, and for whom: a run that ended below its quorum may resume with others
FREE = ("strategy.deadline", "strategy.min-nodes", "strategy.quorum")
_OF_THE_PROCESS = ("resume", "output.dir")


def kept_settings(folder: Path) -> Config | None:
    """Return the settings that the run in `folder` began with; None if it never did.

    Raises
    ------
    DataError
        If they cannot be read.
    """
    check_plain(folder)
    path = folder / CONFIG
    return read_config(path) if path.exists() else None


def changed_settings(kept: Config, folder: Path, given: Mapping[str, Scalar]) -> Config:
    """Return `kept` with those `given` settings that may change.

    Raises
    ------
    ConfigError
        If a given setting that shapes the result is not the one the run began with, or one that
        names another package is not given again.
    """
    before, outside = to_run_config(kept), outside_names(kept)
    unnamed = {name: value for name, value in outside.items() if given.get(name) != value}
    require_trust(unnamed, folder, trust=False)
    for name, value in given.items():
        if name not in (*FREE, *_OF_THE_PROCESS) and value != before[name]:
            raise ConfigError(
                name,
                expected=f"{before[name]!r}, as in {folder / CONFIG}",
                got=repr(value),
                remedy="Leave it out: a run is resumed with the settings it began with. Only "
                f"{', '.join(FREE)} may change.",
            )
    free = {name: given[name] for name in FREE if name in given}
    cfg = from_run_config(before | free)
    return replace(cfg, resume=str(folder), output=replace(cfg.output, dir=str(folder)))


def resumed_settings(cfg: Config) -> Config:
    """Return the settings of the run that `cfg.resume` names.

    Flower hands an app every key, and does not tell a default from a choice. So a setting at its
    default is taken for one that was not given.

    Raises
    ------
    FddError
        If there is no such folder, or a setting does not fit the run.
    """
    folder = Path(cfg.resume)
    if not folder.is_absolute() or not folder.is_dir():
        raise ConfigError(
            "resume",
            expected="the absolute path of a run's folder",
            got=repr(cfg.resume),
            remedy="See the log of the run for `output:`, or leave resume empty for a new run.",
        )
    kept = kept_settings(folder)
    if kept is None:
        raise ConfigError(
            f"resume {folder}",
            expected=f"a folder with the {CONFIG} of a run",
            got="none",
            remedy="There is nothing to resume: start a new run.",
        )
    given = {
        name: value for name, value in to_run_config(cfg).items() if value != keys()[name].default
    }
    return changed_settings(kept, folder, given)


def check_schema(folder: Path, found: Schema) -> None:
    """Check that records are still what they were when the run in `folder` began.

    Its ledger and its model are encoded by the schema of that time.

    Raises
    ------
    DataError
        If `data.schema` was edited, or the records that it was drafted from.
    """
    if not (folder / SCHEMA).exists():
        return  # of a version that wrote it at the end
    changed = _changed(load_schema(folder / SCHEMA), found)
    if changed:
        raise DataError(
            f"schema: {changed[0]}",
            expected=f"as in {folder / SCHEMA}, with which the run began",
            got="another" if len(changed) == 1 else f"another, and {len(changed) - 1} more changes",
            remedy="Put data.schema or the data back as it was; or start a new run.",
        )


def _changed(before: Schema, now: Schema) -> list[str]:
    """Return what differs by more than rounding, the classes first."""
    names = ("classes", "feature_shape", "label", "prior")
    found = [
        name.replace("_", " ") for name in names if getattr(before, name) != getattr(now, name)
    ]
    old, new = ({c.name: c.to_dict() for c in schema.columns} for schema in (before, now))
    return found + [
        f"column {name!r}"
        for name in dict.fromkeys((*old, *new))
        if _rounded(old.get(name, {})) != _rounded(new.get(name, {}))
    ]


def _rounded(column: Mapping[str, object]) -> dict[str, object]:
    # another machine may add up in another order
    return {k: f"{v:.9g}" if isinstance(v, float) else v for k, v in column.items()}
