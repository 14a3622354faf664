"""Seconds and server memory over clients, beside bare Flower, in Flower's simulation and without.

    python benchmarks/scale.py --clients 10,100,1000 --out benchmarks/results/scale

Seconds a round are of the rounds after the first, in which Flower's simulation starts Ray.

Both run the same rounds with the same clients: `fdd run` judges every reply, keeps it in the
ledger and writes checkpoints and a report; bare Flower (benchmarks/bare_flower) sends, collects,
merges and trains. They take turns, `--repeats` times; medians count. Memory is the peak of the
process that the server is in: with `--in-process` the clients are in it too.

Writes NAME.json, NAME.md and NAME.png.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from fdd_flower.bench.memory import peak_of
from fdd_flower.launch.flower.environment import program
from fdd_flower.report.chart import paper, save, tidy
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.run_folder.versions import versions

BARE = Path(__file__).parent / "bare_flower" / "run.py"
APPS, ENGINES = ("fdd", "bare"), ("in-process", "simulation")
SERVER = "flwr-simulation"  # the program of Flower's simulation, in which the ServerApp is a thread
LOOK_SECONDS = 0.1
ALIKE = 0.03  # in a simulation replies come in any order, and a merged set has rows in that order
# One cheap distillation a client, so that what is around it shows.
SETTINGS = """
num-server-rounds = {rounds}
data.name = "{data}"
partition.name = "iid"
distiller.name = "kmeans"
distiller.ipc = 1
distiller.min-records = 1
model.name = "logistic"
training.steps = 200
strategy.min-nodes = {clients}
strategy.quorum = {clients}
"""


@dataclass(frozen=True)
class Row:
    """One run."""

    app: str
    engine: str
    clients: int
    seconds: float  # a round, from the second on
    wall: float  # of the whole command
    peak_mb: float
    accuracy: float


def main() -> None:
    """Measure what the command line asks for."""
    asked = _arguments()
    rows: list[Row] = []
    cells = [(e, n, k) for e in asked.engines for n in asked.clients for k in range(asked.repeats)]
    for engine, clients, turn in cells:
        for app in APPS if turn % 2 == 0 else APPS[::-1]:
            rows.append(run(app, engine, clients, asked))
            found = rows[-1]
            print(
                f"{engine:10} {clients:5} clients  {app:4}  {found.seconds:8.2f} s a round  "
                f"{found.peak_mb:7.0f} MB",
                flush=True,
            )
            write(rows, asked)
        check_same(*rows[-2:])


def check_same(one: Row, other: Row) -> None:
    """End with a line if two runs did not do the same work, as their models tell."""
    if abs(one.accuracy - other.accuracy) > ALIKE:
        sys.exit(
            f"not the same work: accuracy {one.accuracy:.3f} by {one.app}, "
            f"{other.accuracy:.3f} by {other.app}"
        )


def run(app: str, engine: str, clients: int, asked: argparse.Namespace) -> Row:
    """Run one federation and return what it took.

    Raises
    ------
    SystemExit
        If it did not complete; its output then stands above.
    """
    with tempfile.TemporaryDirectory(prefix="scale-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        config, out = folder / "settings.toml", folder / "out"
        config.write_text(SETTINGS.format(rounds=asked.rounds, data=asked.data, clients=clients))
        own = [program("fdd"), "run"] if app == "fdd" else [sys.executable, str(BARE)]
        words = [*own, "--clients", str(clients), "--config", str(config), "--out", str(out)]
        if engine == "in-process":
            words.append("--in-process")
        log, started = folder / "log", time.monotonic()
        with log.open("wb") as stream:
            process = subprocess.Popen(words, stdout=stream, stderr=subprocess.STDOUT)
            peak, ends = watch(process, out / "rounds.jsonl", inside=engine == "in-process")
        wall = time.monotonic() - started
        if process.returncode:
            sys.exit(log.read_text(errors="replace")[-4000:] + f"\n{' '.join(words)} failed")
        if not peak:
            sys.exit(f"the memory of the server's process was never seen: is it {SERVER} still?")
        accuracy = json.loads((out / "rounds.jsonl").read_text().splitlines()[-1])["accuracy"]
    return Row(app, engine, clients, seconds_a_round(ends), wall, peak / 1e6, accuracy)


def seconds_a_round(ends: Mapping[int, float]) -> float:
    """Return the mean seconds of a round but the first, from when rounds had ended, by number.

    Rounds that are over between two looks have one time.
    """
    first, last = min(ends), max(ends)
    if first == last:
        sys.exit("no two rounds were seen to end: are they too short?")
    return (ends[last] - ends[first]) / (last - first)


def watch(
    process: subprocess.Popen[bytes], rounds: Path, *, inside: bool
) -> tuple[int, dict[int, float]]:
    """Wait for `process` to end; return the peak bytes of the server's process, and ends of rounds.

    A round has ended when its line is in the file `rounds`.
    """
    root, server, peak = psutil.Process(process.pid), None, 0
    ends: dict[int, float] = {}
    if inside:
        server = root
    while process.poll() is None:
        with suppress(psutil.Error, OSError):
            server = server or _server_below(root)
            if server is not None:
                peak = max(peak, peak_of(server.pid) or 0)
        with suppress(OSError):
            ends.setdefault(rounds.read_bytes().count(b"\n"), time.monotonic())
        time.sleep(LOOK_SECONDS)
    ends.pop(0, None)
    return peak, ends


def _server_below(root: psutil.Process) -> psutil.Process | None:
    for child in root.children(recursive=True):
        with suppress(psutil.Error):
            if any(Path(word).name == SERVER for word in child.cmdline()[:2]):
                return child
    return None


def write(rows: Sequence[Row], asked: argparse.Namespace) -> None:
    """Write the rows so far, their table and their picture."""
    facts = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "data": asked.data,
        "rounds": asked.rounds,
        "versions": versions(),
        "rows": [asdict(row) for row in rows],
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    name = asked.out.name
    text = (json.dumps(facts, indent=1) + "\n").encode()
    write_atomic(asked.out.with_name(name + ".json"), text)
    write_atomic(asked.out.with_name(name + ".md"), table(rows).encode())
    draw(rows, asked.out.with_name(name + ".png"))


def medians(rows: Sequence[Row]) -> Iterator[tuple[str, int, dict[str, tuple[float, float]]]]:
    """Yield engine, clients and, by app, median seconds and megabytes."""
    for engine, clients in dict.fromkeys((row.engine, row.clients) for row in rows):
        found = {}
        for app in APPS:
            own = [r for r in rows if (r.app, r.engine, r.clients) == (app, engine, clients)]
            if own:
                found[app] = (
                    statistics.median(row.seconds for row in own),
                    statistics.median(row.peak_mb for row in own),
                )
        yield engine, clients, found


def table(rows: Sequence[Row]) -> str:
    """Return the medians in Markdown."""
    lines = [
        "| engine | clients | seconds a round | bare Flower | more | ms a client | server MB "
        "| bare Flower |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for engine, clients, found in medians(rows):
        if set(found) != set(APPS):
            continue
        (own, own_mb), (bare, bare_mb) = found["fdd"], found["bare"]
        lines.append(
            f"| {engine} | {clients:,} | {own:.2f} | {bare:.2f} "
            f"| {100 * (own / bare - 1):+.0f} % | {1000 * own / clients:.1f} "
            f"| {own_mb:.0f} | {bare_mb:.0f} |"
        )
    return "\n".join(lines) + "\n"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw seconds a round and memory over clients."""
    figure = paper((9, 3.8))
    left, right = figure.subplots(1, 2)
    colours = {"in-process": "#2563a8", "simulation": "#c2571a"}
    found = list(medians(rows))
    for engine in dict.fromkeys(e for e, _, _ in found):
        for app, style in (("fdd", "-"), ("bare", ":")):
            points = [(n, *by[app]) for e, n, by in found if e == engine and app in by]
            clients, seconds, peak = zip(*points, strict=True) if points else ((), (), ())
            label = f"{engine}{', bare Flower' if app == 'bare' else ''}"
            look = {"color": colours[engine], "linestyle": style, "marker": "o", "markersize": 4}
            left.plot(clients, seconds, label=label, **look)
            right.plot(clients, peak, label=label, **look)
    for axes, label in ((left, "seconds a round"), (right, "peak of the server's process (MB)")):
        axes.set_xscale("log")
        axes.set_xlabel("clients", fontsize=9)
        axes.set_ylabel(label, fontsize=9)
        tidy(axes)
        axes.legend(fontsize=8, frameon=False)
    left.set_yscale("log")
    right.set_ylim(bottom=0)
    save(figure, path)


def _arguments() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return text.split(",")

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clients", type=lambda t: [int(n) for n in t.split(",")], required=True)
    parser.add_argument("--engines", type=names, default=list(ENGINES))
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True, help="path of the files, no ending")
    asked = parser.parse_args()
    if unknown := set(asked.engines) - set(ENGINES):
        parser.error(f"--engines: expected some of {','.join(ENGINES)}; got {','.join(unknown)}")
    if asked.rounds < 2:
        parser.error(
            f"--rounds: expected 2 or more, as the first is not counted; got {asked.rounds}"
        )
    return asked


if __name__ == "__main__":
    main()
