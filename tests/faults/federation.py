"""A real federation on this machine: a SuperLink, SuperNodes, `flwr run`; and what befalls it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
import psutil
from sklearn.datasets import load_digits

from fdd_flower.launch.flower.environment import TOKEN, search_path
from fdd_flower.launch.flower.processes import end_run
from fdd_flower.launch.flower.superlink import free_port
from fdd_flower.ledger import Ledger

T = TypeVar("T")
ROOT = Path(__file__).parent.parent.parent
APP = ("fdd_flower", "client_app.py", "server_app.py", "pyproject.toml", "LICENSE")
CLIENTS = ("a", "b", "c")
ROUNDS = 2
DEADLINE = 60.0  # seconds: a client's process alone takes ten of them to start
ASKING = 2.0  # seconds between two calls of `flwr`, each of which takes a core for a second or more
SUBMITTED = "Successfully started run"
PATIENCE = 300.0  # seconds after which a wait has failed
RESULT = ("synthetic.safetensors", "model.safetensors")
SETTINGS = {
    "num-server-rounds": ROUNDS,
    "strategy.deadline": DEADLINE,
    "strategy.min-nodes": 2,
    "strategy.quorum": 2,
    "distiller.steps": 5,
    "distiller.networks": 2,
    "distiller.width": 8,
    "training.steps": 60,
    "model.name": "logistic",
    "data.name": "npz",
    "data.test-fraction": 1.0,
}


class Federation:
    """Processes of one federation below `folder`, each with a log; all are ended by `stop`.

    Attributes
    ----------
    out
        Where the run that `submit` starts leaves its folder.
    own
        More of the node config of each client, as it is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"
        self.port, self.fleet_port = free_port(), free_port()
        self.grpc = _flwr_version() < (1, 40)  # since 1.40 all is HTTP, on one port
        self.token = uuid4().hex
        self.superlink: subprocess.Popen[bytes] | None = None
        self.stream: subprocess.Popen[bytes] | None = None
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        self.own: dict[str, str] = {}
        for name in ("flwr", "cwd", "app", "data", "state"):
            (folder / name).mkdir()
        for name in APP:
            source, target = ROOT / name, folder / "app" / name
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        _write_records(folder / "data")
        self.env = self._environment()
        self._write_connection()

    def start(self, clients: tuple[str, ...] = CLIENTS) -> Federation:
        """Start the SuperLink and a SuperNode for each of `clients`, and wait for them."""
        self.start_superlink()
        for name in clients:
            self.start_node(name)
        self.until_online(len(clients))
        return self

    def start_superlink(self) -> None:
        """Start the SuperLink, on the same port and database each time."""
        words = [
            "--insecure",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--database",
            str(self.folder / "superlink.db"),
            "--disable-runtime-dependency-installation",
        ]
        if self.grpc:
            words += ["--fleet-api-address", f"127.0.0.1:{self.fleet_port}"]
        self.superlink = self._spawn("superlink", "flower-superlink", *words)
        self.until("the SuperLink", lambda: _listens(self.port))

    def start_node(self, name: str, *, twin: str = "") -> None:
        """Start the SuperNode of client `name`, with state of its own; `twin` tells two apart."""
        data, state = self.folder / "data" / f"{name}.npz", self.folder / "state" / (name + twin)
        fleet = self.fleet_port if self.grpc else self.port
        self.nodes[name + twin] = self._spawn(
            f"node-{name}{twin}",
            "flower-supernode",
            "--insecure",
            "--superlink",
            f"127.0.0.1:{fleet}",
            "--port",
            str(free_port()),
            "--node-config",
            f'client-name="{name}" data-path="{data}" state-dir="{state}" {self.own.get(name, "")}',
        )

    def submit(self, **settings: object) -> None:
        """Submit a run without waiting for it; names with `_` for `-`, and `__` for a dot."""
        given = {k.replace("__", ".").replace("_", "-"): v for k, v in settings.items()}
        if "resume" not in given:
            given = {
                **SETTINGS,
                "data.path": str(self.folder / "data" / "test.npz"),
                "output.dir": str(self.out),
                **given,
            }
        lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
        (self.folder / "run.toml").write_text("\n".join(lines) + "\n")
        before = self.log().count(SUBMITTED)
        self.stream = self._spawn(
            "run",
            "flwr",
            "run",
            str(self.folder / "app"),
            "edge",
            "--stream",
            "--run-config",
            str(self.folder / "run.toml"),
        )
        self.until("the run to be submitted", lambda: self.log().count(SUBMITTED) > before)

    def runs(self) -> list[dict[str, Any]]:
        """Return what the SuperLink says of each run, the latest last."""
        answer = self._ask("list") or {"runs": []}
        return sorted(answer["runs"], key=lambda run: run["pending-at"])

    def end_run(self) -> None:
        """Stop the latest run, as its operator would, and wait until its process has ended."""
        self._ask("stop", str(self.runs()[-1]["run-id"]))
        self.until("the server's process to end", lambda: not self.server_app())

    def until_online(self, count: int) -> None:
        """Wait until that many SuperNodes are online."""
        self.until(f"{count} SuperNodes", lambda: self.online() == count, every=ASKING)

    def online(self) -> int:
        """Return how many SuperNodes are online."""
        answer = self._ask("supernode", "list") or {"nodes": []}
        return sum(node["status"] == "online" for node in answer["nodes"])

    def rounds(self) -> list[dict[str, Any]]:
        """Return the rows of the rounds that are done."""
        file = self.out / "rounds.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def finished(self) -> str:
        """Wait until the latest run has ended, and return how."""
        self.until("the stream to end", lambda: self.stream and self.stream.poll() is not None)
        self.until(
            "the run to end", lambda: self.runs()[-1]["status"].startswith("finished"), every=ASKING
        )
        return self.runs()[-1]["status"]

    def resumed(self) -> list[bytes]:
        """Submit the run again to be resumed; return what it makes once it has completed."""
        self.submit(resume=str(self.out))
        assert self.finished() == "finished:completed", self.logs()
        assert self.summary()["rounds"] == ROUNDS
        return result(self.out)

    def verdicts(self) -> list[tuple[int, str, str]]:
        """Return the round, client and verdict or code of each reply in the ledger."""
        return [
            (e.round, e.client, e.code or e.verdict) for e in Ledger(self.out / "ledger").entries()
        ]

    def summary(self) -> dict[str, Any]:
        """Return the run's `summary.json`."""
        return json.loads((self.out / "summary.json").read_text())

    def server_app(self) -> psutil.Process | None:
        """Return the process of the ServerApp, if it runs."""
        return _child(self.superlink, "flwr-serverapp")

    def client_app(self, name: str) -> psutil.Process | None:
        """Return the latest process that works on a message for client `name`, if there is one."""
        return _child(self.nodes.get(name), "flwr-clientapp")

    def kill(self, process: psutil.Process | subprocess.Popen[bytes] | None) -> None:
        """`kill -9` a process and all that it has started."""
        assert process is not None, "nothing to kill"
        for member in _family(process):
            with suppress(psutil.Error):
                member.kill()

    def pause(self, process: subprocess.Popen[bytes], *, resume: bool = False) -> None:
        """Stop a process and all that it has started, as a machine that hangs; or let it go on."""
        for member in _family(process):
            with suppress(psutil.Error):
                member.send_signal(signal.SIGCONT if resume else signal.SIGSTOP)

    def until(self, what: str, true: Callable[[], T], *, every: float = 0.2) -> T:
        """Wait until `true()`, and return it; fail with the logs' ends after `PATIENCE` seconds."""
        end = time.monotonic() + PATIENCE
        while not (value := true()):
            assert time.monotonic() < end, f"no {what} in {PATIENCE:g} s\n{self.logs()}"
            time.sleep(every)
        return value

    def log(self, name: str = "run") -> str:
        """Return what a process has shown so far; without a name, `flwr run`."""
        file = self.folder / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def logs(self) -> str:
        """Return the end of each log."""
        ends = []
        for log in sorted(self.folder.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-25:]
            ends.append("\n".join([f"---- {log.name}", *lines]))
        return "\n".join(ends)

    def stop(self) -> None:
        """End every process of this federation, paused ones too."""
        for process in [*self.nodes.values(), *([self.superlink] if self.superlink else [])]:
            self.pause(process, resume=True)
        end_run(TOKEN, self.token)

    def _spawn(self, log: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{log}.log").open("ab") as out:
            return subprocess.Popen(
                command,
                cwd=self.folder / "cwd",
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _ask(self, *words: str) -> dict[str, Any] | None:
        with suppress(ValueError, subprocess.TimeoutExpired):  # then it is asked again
            done = subprocess.run(
                ["flwr", *words, "edge", "--format", "json"],
                cwd=self.folder / "cwd",
                env=self.env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            answer = json.loads(done.stdout[done.stdout.index("{") :])
            return answer if answer.get("success") else None
        return None

    def _environment(self) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("FLWR_", "PYTHONPATH"))}
        return env | {
            TOKEN: self.token,
            "FLWR_HOME": str(self.folder / "flwr"),
            "PATH": search_path(),
            "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONIOENCODING": "utf-8",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def _write_connection(self) -> None:
        text = f'[superlink.edge]\naddress = "127.0.0.1:{self.port}"\ninsecure = true\n'
        (self.folder / "flwr" / "config.toml").write_text(text)


def result(folder: Path) -> list[bytes]:
    """Return the bytes of what a run made."""
    return [(folder / name).read_bytes() for name in RESULT]


def _write_records(folder: Path) -> None:
    """Cut the handwritten digits into the clients' records, unevenly, and the server's own."""
    digits: Any = load_digits()
    images = (digits.images * 15).astype(np.uint8)[:, None]
    labels = digits.target.astype(np.int64)
    rng = np.random.default_rng(0)
    owner = np.where(
        rng.random(len(labels)) < 0.2, -1, (labels + rng.integers(0, 2, len(labels))) % 3
    )
    for index, name in ((-1, "test"), *enumerate(CLIENTS)):
        chosen = owner == index
        np.savez(folder / f"{name}.npz", x=images[chosen], y=labels[chosen])


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _flwr_version() -> tuple[int, ...]:
    import flwr

    return tuple(int(part) for part in flwr.__version__.split(".")[:2])


def _family(process: psutil.Process | subprocess.Popen[bytes]) -> list[psutil.Process]:
    with suppress(psutil.Error):
        found = psutil.Process(process.pid)
        return [found, *found.children(recursive=True)]
    return []


def _child(parent: subprocess.Popen[bytes] | None, word: str) -> psutil.Process | None:
    for process in reversed(_family(parent)[1:] if parent else []):  # in the order of their start
        with suppress(psutil.Error):
            if any(word in part for part in process.cmdline()[:3]):
                return process
    return None


def running(folder: Path) -> Iterator[Federation]:
    """Yield a federation in `folder`, for a fixture; whatever happens, it is ended."""
    federation = Federation(folder)
    try:
        yield federation
    finally:
        federation.stop()


assert sys.platform != "win32", "signals and process groups of POSIX are needed"
