"""The environment of Flower's processes: quiet, offline, with nothing of another run in it."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from fdd_flower.config import Config
from fdd_flower.errors import LaunchError
from fdd_flower.launch.flower.staging import Stage

TOKEN = "FDD_RUN_TOKEN"
OBJECT_STORE_BYTES = 512 * 2**20


def child_environment(
    stage: Stage, cfg: Config, token: str, base: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment for every process of one run.

    Parameters
    ----------
    token
        Marks the run's processes, so that they are found again even when re-parented.
    """
    # Flower's own variables go: one that opens a fixed port, say, would let two runs meet
    env = {name: value for name, value in base.items() if not name.startswith("FLWR_")}
    threads = str(max(cfg.runtime.client_threads, cfg.runtime.server_threads))
    env |= {
        TOKEN: token,
        "FLWR_HOME": str(stage.flwr_home),
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_TELEMETRY_ENABLED": "0",
        # a cluster of its own: a running one may belong to someone else
        "RAY_ADDRESS": "local",
        "RAY_TMPDIR": str(stage.path),
        # on the loopback only, whatever the system: Ray runs what it is sent, and on an
        # address of the network it would also lose itself when that changes
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": uuid4().hex,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "0",
        "RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES": str(OBJECT_STORE_BYTES),
        "RAY_OBJECT_STORE_ALLOW_SLOW_STORAGE": "1",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        # the upper limit; inside, each part sets its own count
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        # lines as they come, whatever the locale: flwr prints emoji
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        # Flower starts its parts by name
        "PATH": search_path(base),
    }
    for name in ("NO_PROXY", "no_proxy"):
        # a proxy cannot reach this machine's loopback
        env[name] = ",".join(filter(None, (env.get(name), "127.0.0.1", "localhost")))
    if "PYTHONPATH" in env:
        # the processes work in another folder
        parts = env["PYTHONPATH"].split(os.pathsep)
        env["PYTHONPATH"] = os.pathsep.join(os.path.abspath(part) for part in parts)
    return env


def search_path(base: Mapping[str, str] = os.environ) -> str:
    """Return PATH with this Python's own scripts first, for an environment not activated."""
    scripts = (str(Path(sys.executable).parent), sysconfig.get_path("scripts"))
    return os.pathsep.join(dict.fromkeys((*scripts, *base.get("PATH", "").split(os.pathsep))))


def program(name: str) -> str:
    """Return the full path of the Flower program `name`.

    Raises
    ------
    LaunchError
        If it is not installed.
    """
    path = shutil.which(name, path=search_path())
    if path is None:
        raise LaunchError(
            name,
            expected="a program that comes with flwr",
            got="none on PATH",
            remedy="Install it with: pip install 'flwr[simulation]>=1.39,<1.42'.",
        )
    return path
