"""Where a run will leave its files, decided before it starts."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from fdd_flower.config import Config
from fdd_flower.run_folder import run_dir


def choose(cfg: Config, now: datetime) -> Path:
    """Return the absolute folder of a run that starts at `now`; makes nothing.

    `output.dir`, else `$FDD_OUTPUT_DIR`, else `~/.fdd-flower/runs/<date-time>-<strategy>-<data>`.

    Raises
    ------
    ConfigError
        If the folder that was set is not absolute, not writable, or taken by another run.
    """
    name = f"{now:%Y-%m-%d-%H%M%S}-{_plain(cfg.strategy.name)}-{_plain(cfg.data.name)}"
    path = run_dir.resolve(cfg.output.dir, name)
    run_dir.check_free(path if _was_set(cfg) else path.parent)
    return path


def claim(cfg: Config, now: datetime) -> Path:
    """Return what `choose` returns, but if the name is our own, make the folder.

    Two runs may start in the same second, and the folder is else made only once Flower is up.
    """
    path = choose(cfg, now)
    if _was_set(cfg):
        return path
    for number in count(1):
        numbered = path if number == 1 else path.with_name(f"{path.name}-{number}")
        with suppress(FileExistsError):
            numbered.mkdir(parents=True)
            return numbered
    raise AssertionError("count() has no end")


def _was_set(cfg: Config) -> bool:
    return bool(cfg.output.dir or os.environ.get("FDD_OUTPUT_DIR"))


def _plain(name: str) -> str:
    """Return `name` fit for a folder's name; `package.module:Factory` holds a colon."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "custom"
