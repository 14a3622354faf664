"""`fdd_flower.run` and `fdd_flower.load_run`: a federation in this process, and what it left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fdd_flower.api.model import Model
from fdd_flower.api.settings import run_config
from fdd_flower.api.source import data_settings
from fdd_flower.api.synthetic import SyntheticSet, from_saved
from fdd_flower.config import Config, find_key
from fdd_flower.data.base import refuse
from fdd_flower.errors import ConfigError, FddError
from fdd_flower.launch.in_process import run_in_process
from fdd_flower.launch.prepare import prepare
from fdd_flower.launch.progress import Progress
from fdd_flower.launch.settings import absolute
from fdd_flower.report.headline import headline_words
from fdd_flower.report.units import human_bytes, human_seconds
from fdd_flower.results.train import kept_set
from fdd_flower.run_folder import load
from fdd_flower.run_folder.network import load_network
from fdd_flower.run_folder.rows import RoundRow, Summary
from fdd_flower.wording import many

Clients = int | Sequence[str | Path] | Mapping[str, str | Path]


@dataclass(frozen=True, repr=False)
class Run:
    """A run that ended, and what it left in its folder.

    Examples
    --------
    >>> run = fdd.load_run("runs/a")  # doctest: +SKIP
    >>> run.summary.accuracy  # doctest: +SKIP
    0.961
    >>> run.synthetic.show()  # doctest: +SKIP
    >>> run.model.predict(x_test)  # doctest: +SKIP
    """

    _run: load.Run

    @property
    def folder(self) -> Path:
        """The folder of the run; `report.html` in it opens in a browser."""
        return self._run.path

    @property
    def summary(self) -> Summary:
        """What the run did as a whole: accuracy, bytes, seconds and more."""
        return self._run.summary

    @property
    def rows(self) -> tuple[RoundRow, ...]:
        """What each round did."""
        return self._run.rows

    @property
    def config(self) -> Config:
        """All settings of the run."""
        return self._run.config

    @cached_property
    def synthetic(self) -> SyntheticSet:
        """The merged synthetic set.

        Raises
        ------
        DataError
            If the run has none: its strategy averages parameters, or it failed before.
        """
        return from_saved(kept_set(self._run), self._run.schema)

    @cached_property
    def model(self) -> Model:
        """The global model.

        Raises
        ------
        DataError
            If the run has none: it failed before its first round ended.
        """
        network, schema = load_network(self._run), self._run.schema
        assert schema is not None  # else there is no network
        return Model(network, schema)

    def __repr__(self) -> str:
        """Return how the run ended, in one line."""
        found = self.summary
        return (
            f"Run({found.strategy} on {found.data}: {headline_words(found)} after "
            f"{many(found.rounds, 'round')} with {many(found.num_clients, 'client')}; "
            f"{human_bytes(found.bytes_up_per_client)} up per client; "
            f"{human_seconds(found.seconds_total)}; {self.folder})"
        )


def run(
    *,
    clients: Clients | None = None,
    rounds: int | None = None,
    data: str | Path = "digits",
    out: str | Path | None = None,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Run a federation in this process, client after client, and return what it left.

    The result is bit for bit that of `fdd run` with the same settings.

    Parameters
    ----------
    clients
        How many to simulate: the data is split into so many shares. None: 10, or with
        `partition_name="column"` one for each group. Or the data that each has of
        its own: paths, or paths by the clients' names. `data` is then the server's: it names the
        classes, gives the constants of normalisation, and is what is tested on.
    rounds
        None: the default of `num-server-rounds`.
    data
        The name of a data set (digits, mnist, ...), or the path of a CSV, Parquet or NPZ file, or
        of a folder of images with a folder for each class.
    out
        Folder for the files of the run, which must not hold a run yet. None: a new one below
        `~/.fdd-flower/runs`.
    progress
        Print a line for each step.
    **settings
        Any key of the run config, with underscores for dots and dashes: `distiller_ipc=5`,
        `partition_alpha=0.1`, `data_label="diagnosis"`, `seed=1`. A dict of keys as they are goes
        in as `**{"distiller.ipc": 5}`.

    Raises
    ------
    ConfigError
        If a setting is unknown, out of range, or does not fit; nothing is written then.
    DataError
        If the data cannot be read.
    FddError
        If the run cannot be completed; `load_run` reads what it left.

    Examples
    --------
    >>> import fdd_flower as fdd
    >>> run = fdd.run(clients=10, rounds=1, data="digits", out="runs/a")  # doctest: +SKIP
    >>> run  # doctest: +SKIP
    Run(fdd on digits: accuracy 96.1% after 1 round with 10 clients; 6.1 kB up a client; ...)
    """
    count, own_data = _clients(clients)
    values = data_settings(data)
    if own_data:
        values["data.test-fraction"] = 1.0  # the server trains on none of its records
    values |= run_config(settings)
    if rounds is not None:
        values["num-server-rounds"] = find_key("num-server-rounds").check(rounds)
    if out is not None:
        values["output.dir"] = absolute(out)
    begun, about = prepare(values, count, own_data=own_data, in_process=True)
    told = _Lines(shown=progress)
    for line in about:
        told.say(line)
    outcome = run_in_process(begun, told)
    if not outcome.completed:
        _fail(outcome.error, told.errors or [outcome.reason], begun.config.output.dir)
    return load_run(begun.config.output.dir, trust=True)


def load_run(path: str | Path, *, trust: bool = False) -> Run:
    """Read the run in a folder.

    Parameters
    ----------
    path
        The `out` of `run`, or of the command `fdd run`.
    trust
        Import components of other packages that the run names (`package.module:Factory`), which
        runs their code. Without it, what needs one is refused.

    Raises
    ------
    DataError
        If there is no run that ended, or a file of it is missing or broken.

    Examples
    --------
    >>> fdd.load_run("runs/a").summary.accuracy  # doctest: +SKIP
    0.961
    """
    return Run(load.load_run(Path(absolute(path)), trust=trust))


def _clients(clients: Clients | None) -> tuple[int | None, dict[str, str]]:
    """Return how many clients there are, and the data of those that have their own."""
    if clients is None:
        return None, {}
    if isinstance(clients, int):
        if clients < 1:
            raise _wrong_clients(clients)
        return clients, {}
    if isinstance(clients, str | Path):  # a path is a sequence of letters
        raise _wrong_clients(repr(str(clients)))
    if isinstance(clients, Mapping):
        own = {str(name): absolute(path) for name, path in clients.items()}
    else:
        own = {Path(path).stem: absolute(path) for path in clients}
    if len(own) < max(1, len(clients)):
        raise refuse(
            "clients",
            expected="at least one path, and files of different names",
            got=f"{len(clients)} paths, {len(own)} names",
            remedy="Name the clients: clients={'north': path, 'south': path}.",
        )
    return len(own), own


def _wrong_clients(got: object) -> ConfigError:
    return ConfigError(
        "clients",
        expected="a number from 1, a list of paths, or paths by name",
        got=got,
        remedy="Pass clients=10, or clients=['north.csv', 'south.csv'].",
    )


def _fail(error: BaseException | None, reasons: Sequence[str], folder: str) -> None:
    if isinstance(error, FddError):
        raise error
    raise FddError(
        "the run",
        expected="every round to be completed",
        got="; ".join(reasons),
        remedy=f"What it left is in {folder}.",
    ) from error


class _Lines(Progress):
    """Plain lines on stdout, which a notebook shows as they come; an error is raised, not shown."""

    def __init__(self, *, shown: bool) -> None:
        super().__init__()
        self._shown = shown

    def say(self, text: str) -> None:
        """Print `text`."""
        if self._shown:
            print(text, flush=True)

    def error(self, text: str) -> None:
        """Keep `text` for the exception."""
        self.errors.append(text)
