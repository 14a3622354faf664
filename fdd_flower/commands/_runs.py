"""Finding the run that a user means."""

from __future__ import annotations

from pathlib import Path

from fdd_flower.errors import DataError
from fdd_flower.run_folder.run_dir import CONFIG, SUMMARY
from fdd_flower.run_folder.trust import check_plain

LATEST = "latest"


def runs_folder() -> Path:
    """Return where runs go that were given no folder."""
    return Path.home() / ".fdd-flower" / "runs"


def find_run(name: str, *, ended: bool = True) -> Path:
    """Return the absolute path of the run folder that `name` stands for.

    Parameters
    ----------
    name
        A folder, the name of one in `runs_folder()`, or `latest` for the newest there.
    ended
        `latest` is the newest run that ended; else the newest that began.

    Raises
    ------
    DataError
        If there is no such folder, or it holds links.
    """
    if name == LATEST:
        # only a run that ended has a summary
        found = list(runs_folder().glob(f"*/{SUMMARY if ended else CONFIG}"))
        if found:
            return max(found, key=lambda path: path.stat().st_mtime).parent
    for path in (Path(name).expanduser(), runs_folder() / name):
        if path.is_dir():
            check_plain(path)
            return path.absolute()
    raise DataError(
        f"run {name!r}",
        expected=f"a folder, a name in {runs_folder()}, or {LATEST}",
        got="no such folder",
        remedy="`fdd run` prints the folder of a run as its last line.",
    )
