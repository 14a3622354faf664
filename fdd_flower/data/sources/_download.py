"""torchvision's downloads, and what to do where there is no network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fdd_flower.config import DataConfig
from fdd_flower.data.base import refuse
from fdd_flower.data.sources.paths import download_folder


def download(cfg: DataConfig, fetch: Callable[[Path], object], *, needed: str) -> Path:
    """Call `fetch` on the download folder and return that folder.

    With a path of its own a node holds data of its own: a public set that appeared there by
    download would pass for it, so data that is absent from `cfg.path` stays absent.

    Raises
    ------
    DataError
        If `cfg.path` is set, or the download fails.
    """
    if cfg.path:
        raise refuse(
            "data.path",
            expected=f"a folder with {needed}",
            got=f"{cfg.path!r} without them",
            remedy=f"Put the files there, or leave data.path empty to download {cfg.name}.",
        )
    root = download_folder()
    try:
        fetch(root)
    except (RuntimeError, OSError) as error:
        raise refuse(
            f"download of {cfg.name}",
            expected=f"{needed} in {root}, or a network to fetch them",
            got=error,
            remedy="Copy the files from another machine and set data.path to their folder.",
        ) from error
    return root
