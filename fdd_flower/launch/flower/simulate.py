"""A run through `flwr run`, in Flower's simulation, with nothing left behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from fdd_flower.device import gpus, resolve
from fdd_flower.errors import LaunchError
from fdd_flower.launch.begun import Begun
from fdd_flower.launch.flower.environment import TOKEN, child_environment
from fdd_flower.launch.flower.keeper import keeper
from fdd_flower.launch.flower.staging import Stage, fill_stage, make_stage, write_connection
from fdd_flower.launch.flower.submit import Flwr
from fdd_flower.launch.flower.superlink import superlink
from fdd_flower.launch.machine import clients_at_once, federation_config
from fdd_flower.launch.outcome import Outcome, recorded_status
from fdd_flower.launch.progress import Progress
from fdd_flower.run_folder.rows import COMPLETED
from fdd_flower.wording import many

LOG = "flower.log"


def run_in_simulation(begun: Begun, progress: Progress) -> Outcome:
    """Run every round in Flower's simulation and say how it ended.

    Raises
    ------
    LaunchError
        If there is nothing to start: this package is not installed whole; or Flower's simulation,
        whose clients all join, is asked for a run that some never did.
    """
    cfg, num_clients = begun.config, begun.clients
    if begun.absent:
        raise LaunchError(
            f"run {cfg.output.dir} without client {', '.join(begun.absent)}",
            expected="--in-process",
            got="Flower's simulation, in which every client joins",
            remedy="Give --in-process; the result is the same, bit for bit.",
        )
    at_once, _ = clients_at_once(num_clients, cfg.runtime.client_threads)
    shared = gpus(resolve(cfg.runtime.device))
    federation = federation_config(num_clients, cfg.runtime.client_threads, gpus=shared)
    folder = Path(cfg.output.dir)
    with _stage() as (stage, token):
        fill_stage(stage, cfg)
        env = child_environment(stage, cfg, token)
        try:
            progress.say(f"starting Flower: {many(num_clients, 'client')}, {at_once} at once")
            with superlink(stage, env) as port:
                write_connection(stage, port)
                flwr = Flwr(stage, env)
                begun.write(folder)
                run_id = flwr.run(federation, progress.log_line)
                reason = _why_not(flwr, run_id, folder)
        except LaunchError as error:
            progress.error(str(error))
            return Outcome(completed=False, log=_keep_log(stage, folder))
        if not reason:
            return Outcome(completed=True)
        return Outcome(completed=False, reason=reason, log=_keep_log(stage, folder))


@contextmanager
def _stage() -> Iterator[tuple[Stage, str]]:
    stage, token = make_stage(), uuid4().hex
    with keeper(TOKEN, token, stage.path):
        try:
            yield stage, token
        finally:
            stage.remove()


def _why_not(flwr: Flwr, run_id: int | None, folder: Path) -> str:
    """Return why the run did not complete; empty if both Flower and the run say that it did."""
    if run_id is None:
        return "flwr run did not start the run"
    status, recorded = flwr.status(run_id), recorded_status(folder)
    if recorded is not None and recorded != COMPLETED:
        return recorded
    if recorded is None or not status.completed:
        return f"Flower says {status.text}: {status.details}"
    return ""


def _keep_log(stage: Stage, folder: Path) -> Path:
    """Copy the log to where it outlives the run: its folder, if it has made one."""
    if folder.is_dir() and not (folder / LOG).exists():
        kept = folder / LOG
    else:
        kept = Path(tempfile.gettempdir()) / f"{stage.path.name}-{LOG}"
    shutil.copyfile(stage.log, kept)
    return kept
