"""`flwr run` and `flwr list`: submit the run, follow its log, learn how it really ended."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fdd_flower.launch.flower.environment import program
from fdd_flower.launch.flower.staging import CONNECTION, Stage

COMPLETED = "finished:completed"
ASK_SECONDS = 60.0

_STARTED = re.compile(r"Successfully started run (\d+)")


@dataclass(frozen=True, slots=True)
class Status:
    """What the SuperLink says of a run."""

    text: str
    details: str

    @property
    def completed(self) -> bool:
        """Whether Flower counts the run as completed; an app's own record must agree."""
        return self.text == COMPLETED


@dataclass(frozen=True, slots=True)
class Flwr:
    """The `flwr` program, on the SuperLink of one run."""

    stage: Stage
    env: Mapping[str, str]

    def run(self, federation: str, show: Callable[[str], None]) -> int | None:
        """Submit the app and follow its log to the end; return the run's id if it started.

        Parameters
        ----------
        federation
            Size and resources, as `flwr run --federation-config` takes them.
        show
            Gets each line of the log.
        """
        command = [
            program("flwr"),
            "run",
            str(self.stage.app),
            CONNECTION,
            "--stream",
            "--run-config",
            str(self.stage.run_config),
            "--federation-config",
            federation,
        ]
        process = subprocess.Popen(
            command,
            cwd=self.stage.cwd,
            env=dict(self.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        assert process.stdout is not None
        run_id = None
        try:
            with process.stdout, self.stage.log.open("a", encoding="utf-8") as log:
                for line in process.stdout:
                    log.write(line)
                    log.flush()
                    if run_id is None and (found := _STARTED.search(line)):
                        run_id = int(found[1])
                    show(line)
            process.wait()
        finally:
            # Popen's own `with` would wait here for a log that goes on after Ctrl-C
            process.kill()
            process.wait()
        return run_id

    def status(self, run_id: int) -> Status:
        """Return the status of a run; the exit status of `flwr run` says nothing about it."""
        command = [
            program("flwr"),
            "list",
            CONNECTION,
            "--run-id",
            str(run_id),
            "--format",
            "json",
        ]
        try:
            answer = subprocess.run(
                command,
                cwd=self.stage.cwd,
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=ASK_SECONDS,
                start_new_session=True,
                check=False,
            )
            found = json.loads(answer.stdout)["runs"][0]
            return Status(text=found["status"], details=found.get("status-details") or "")
        except (subprocess.TimeoutExpired, ValueError, LookupError, TypeError):
            return Status(text="unknown", details="the SuperLink does not answer")
