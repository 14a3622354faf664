"""Run bare Flower: the same clients, settings and engine as `fdd run`, without its server.

    python benchmarks/bare_flower/run.py --clients 100 --config FILE.toml --out DIR [--in-process]

Leaves DIR/rounds.jsonl: a line after each round, with its accuracy.
"""

from __future__ import annotations

import argparse
import runpy
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from fdd_flower.config import Config, from_run_config, to_run_config
from fdd_flower.launch.flower.environment import child_environment
from fdd_flower.launch.flower.staging import fill_stage, make_stage, write_connection
from fdd_flower.launch.flower.submit import Flwr
from fdd_flower.launch.flower.superlink import superlink
from fdd_flower.launch.machine import federation_config
from fdd_flower.launch.settings import given

HERE = Path(__file__).parent
APPS = ("client_app.py", "server_app.py")


def main() -> int:
    """Run what the command line asks for; 0 if it left its result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--in-process", action="store_true")
    asked = parser.parse_args()
    cfg = from_run_config(given(config_file=asked.config, assignments=(), rounds=None, out=None))
    cfg = replace(cfg, output=replace(cfg.output, dir=str(asked.out.resolve())))
    (in_process if asked.in_process else in_simulation)(cfg, asked.clients)
    rounds = asked.out / "rounds.jsonl"
    done = len(rounds.read_text().splitlines()) if rounds.exists() else 0
    return 0 if done == cfg.num_server_rounds else 1


def in_process(cfg: Config, clients: int) -> None:
    """Run every round in this process."""
    import sklearn.cluster  # noqa: F401 (takes a second, which `fdd run` too spends before its clock)
    from flwr.app import Context, RecordDict

    from fdd_flower.local_grid import LocalGrid

    client, server = (runpy.run_path(str(HERE / name))["app"] for name in APPS)
    values = to_run_config(cfg)
    context = Context(
        run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config=dict(values)
    )
    server(LocalGrid(client, clients, values), context)


def in_simulation(cfg: Config, clients: int) -> None:
    """Run every round in Flower's simulation, with as many workers as `fdd run` would have."""
    federation = federation_config(clients, cfg.runtime.client_threads)
    stage = make_stage()
    try:
        fill_stage(stage, cfg)
        for name in APPS:
            shutil.copyfile(HERE / name, stage.app / name)
        env = child_environment(stage, cfg, uuid4().hex)
        with superlink(stage, env) as port:
            write_connection(stage, port)
            Flwr(stage, env).run(federation, lambda line: print(line, end="", file=sys.stderr))
    finally:
        stage.remove()


if __name__ == "__main__":
    sys.exit(main())
