"""Machines with a vibration sensor each: one classifier of their state, a few kilobytes a machine.

Each machine's CSV stays its own. A client cuts it into windows, distils them, and sends the
synthetic ones through a codec for series. Here all clients run on this machine, one after the
other; docs/deploy.md has the real thing.

    python examples/device_fleet.py --demo
    python examples/device_fleet.py press1.csv press2.csv --test test.csv --window 128
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from client_tables import parser_of, read

import fdd_flower as fdd

RATE = 50  # samples a second
STATES = ("idle", "running", "worn")  # worn bearings are rare
SHARES = {"idle": 3, "running": 4, "worn": 1}  # recordings of a machine


def make_demo(folder: Path, machines: int = 4) -> tuple[list[Path], Path]:
    """Write made-up recordings of machines, no two alike, and of three others to test on."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    tables = {f"machine{i}": recordings(f"machine{i}", rng) for i in range(1, machines + 1)}
    tables["test"] = pd.concat([recordings(f"other{i}", rng) for i in range(3)])
    paths = []
    for name, table in tables.items():
        paths.append(folder / f"{name}.csv")
        table.to_csv(paths[-1], index=False)
    return paths[:-1], paths[-1]


def recordings(machine: str, rng: np.random.Generator, seconds: float = 8) -> pd.DataFrame:
    """Return recordings of one machine: its speed, mounting and noise are its own."""
    speed, noise, tilt = rng.uniform(3, 4), rng.uniform(0.05, 0.15), rng.normal(0, 0.1, 2)
    time = np.arange(0, seconds, 1 / RATE)
    tables = []
    for state in STATES:
        for part in range(SHARES[state]):
            turns = 2 * np.pi * (speed * time + rng.uniform())
            swing = 0.1 if state == "idle" else 1.0
            x, z = swing * np.sin(turns) + tilt[0], 1 + 0.5 * swing * np.cos(turns) + tilt[1]
            if state == "worn":  # a second beat in each turn
                x = x + 0.8 * np.sin(2 * turns)
            columns = {"x": x, "z": z}
            values = {k: (v + rng.normal(0, noise, len(v))).round(3) for k, v in columns.items()}
            own = {"recording": f"{machine}-{state}-{part}", "time": time.round(3), "state": state}
            tables.append(pd.DataFrame(own | values))
    return pd.concat(tables)


def main(arguments: list[str] | None = None) -> None:
    """Run the federation, and say what was sent and how well it tells the states apart."""
    about = __doc__.splitlines()[0]
    parser = parser_of(about, client="machine", label="state", out="runs/fleet")
    parser.add_argument("--window", type=int, default=64, help="samples of a window")
    parser.add_argument("--bytes", type=int, default=4000, help="that a machine may send")
    parser.add_argument("--distiller-steps", type=int, default=30)
    parser.add_argument("--steps", type=int, default=400, help="of training on what was sent")
    options = read(parser, arguments, make_demo)
    run = fdd.run(
        clients=options.tables,
        rounds=1,
        data=options.test,
        out=options.out / "run",
        data_name="series",
        data_label=options.label,
        data_window=options.window,
        data_step=options.window // 4,
        distiller_bytes=options.bytes,
        distiller_steps=options.distiller_steps,
        training_steps=options.steps,
    )
    summary = run.summary
    raw = sum(path.stat().st_size for path in options.tables) / len(options.tables)
    print(f"\na machine's recordings: {raw / 1e3:.0f} kB as CSV")
    print(f"what it sent: {summary.bytes_up_per_client / 1e3:.1f} kB")
    print("machines that nobody trained on, share of the windows of each state told right:")
    for state, share in zip(run.synthetic.classes, summary.accuracy_per_class, strict=True):
        print(f"  {state}: {share:.1%}")
    print(f"\nreport: {run.folder / 'report.html'}")


if __name__ == "__main__":
    main()
