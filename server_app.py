"""Flower's ServerApp: the whole run, as the run config asks."""

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from fdd_flower.server.server_run import serve

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Check the settings, run every round, save the results."""
    serve(grid, context)
