"""A run in this process: the same apps over a `LocalGrid`, without Ray or a SuperLink."""

from __future__ import annotations

from pathlib import Path

from fdd_flower.config import to_run_config
from fdd_flower.launch.begun import Begun
from fdd_flower.launch.flower.entry_points import load_entry
from fdd_flower.launch.outcome import Outcome, recorded_status
from fdd_flower.launch.progress import Progress, instead_of_flower_log
from fdd_flower.run_folder.rows import COMPLETED


def run_in_process(begun: Begun, progress: Progress) -> Outcome:
    """Run every round here, one client after the other, and say how it ended."""
    from flwr.app import Context, RecordDict

    from fdd_flower.local_grid import LocalGrid

    run_config, folder = to_run_config(begun.config), Path(begun.config.output.dir)
    begun.write(folder)
    absent = {int(client) + 1 for client in begun.absent}  # client k is node k + 1 of a LocalGrid
    with instead_of_flower_log(progress):
        app = load_entry("client_app.py").app
        own = enumerate(begun.own_data.items(), start=1)
        nodes = {node: {"client-name": name, "data-path": path} for node, (name, path) in own}
        grid = LocalGrid(app, begun.clients, run_config, absent=absent, node_configs=nodes)
        context = Context(
            run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config=dict(run_config)
        )
        try:
            load_entry("server_app.py").app(grid, context)
        except (Exception, SystemExit) as error:
            # The server names what it expects to go wrong in a marked line; the rest is a bug.
            if not progress.errors:
                raise RuntimeError("the run failed for an unexpected reason") from error
            return Outcome(completed=False, error=error)
    status = recorded_status(folder)
    if status == COMPLETED:
        return Outcome(completed=True)
    return Outcome(completed=False, reason=status or "the run left no summary")
