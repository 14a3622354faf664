"""What `fdd doctor` looks at: each check says what it found and, if that is bad, what to do."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from fdd_flower.errors import FddError
from fdd_flower.wording import many

OK, WARN, FAIL = "ok", "warn", "fail"

FLWR_FROM, FLWR_BELOW = (1, 39), (1, 42)
NEEDED_GB, COMFORTABLE_GB = 1.0, 3.0
DISK_GB = 0.5
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    level
        `ok`, `warn` (it will run, but) or `fail` (it will not).
    remedy
        What to do; empty if it is ok.
    """

    name: str
    level: str
    text: str
    remedy: str = ""


def findings() -> Iterator[Finding]:
    """Make every check, one after the other."""
    for check in CHECKS:
        try:
            yield check()
        # A broken installation breaks checks too; the others still have something to say.
        except Exception as error:
            name = check.__name__.replace("_", "-")
            yield Finding(name, FAIL, _one_line(error), "Fix what failed above first.")


def python() -> Finding:
    """Which Python this is; an older one could not have imported this file."""
    return Finding("python", OK, f"{platform.python_version()}, {sys.executable}")


def torch() -> Finding:
    """Whether torch can be imported."""
    return _imports("torch", "Install it with: pip install torch.")


def device() -> Finding:
    """Which device a run takes that is told no other."""
    from fdd_flower.device import available, best

    rest = [name for name in available() if name != best()]
    others = f"; runtime.device may name {', '.join(rest)} too" if rest else ""
    return Finding("device", OK, f"auto chooses {best()}{others}")


def torchvision() -> Finding:
    """Whether torchvision can be imported beside this torch."""
    return _imports(
        "torchvision",
        "`operator torchvision::nms does not exist` means that torch and torchvision come "
        "from different builds, such as a +cpu torch from pytorch.org and a torchvision from "
        "PyPI. Install both from one index: pip install --force-reinstall torch torchvision.",
    )


def flwr() -> Finding:
    """Whether this is a version of Flower that the project was run on."""
    low, high = (".".join(map(str, bound)) for bound in (FLWR_FROM, FLWR_BELOW))
    remedy = f"Install it with: pip install 'flwr[simulation]>={low},<{high}'."
    found = _version("flwr")
    if found is None:
        return Finding("flwr", FAIL, "not installed", remedy)
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdecimal())
    if not FLWR_FROM <= numbers < FLWR_BELOW:
        return Finding("flwr", FAIL, f"{found}, not from {low} to below {high}", remedy)
    return Finding("flwr", OK, found)


def flower_programs() -> Finding:
    """Whether the programs that a run starts are there."""
    from fdd_flower.launch.flower.environment import search_path

    names = ("flwr", "flower-superlink", "flower-superexec", "flwr-simulation")
    missing = [name for name in names if shutil.which(name, path=search_path()) is None]
    if missing:
        return Finding(
            "flower programs",
            FAIL,
            f"{', '.join(missing)} not found",
            "Install again: pip install --force-reinstall --no-deps flwr.",
        )
    return Finding("flower programs", OK, ", ".join(names))


def ray() -> Finding:
    """Whether Ray, which runs simulated clients, can be imported."""
    return _imports(
        "ray", "Install it with: pip install ray; or run with --in-process, which needs none."
    )


def flwr_datasets() -> Finding:
    """Whether flwr-datasets is there; only partitions taken from it need it."""
    found = _version("flwr-datasets")
    if found is None:
        remedy = "Install it with: pip install flwr-datasets."
        return Finding("flwr-datasets", WARN, "not installed", remedy)
    return Finding("flwr-datasets", OK, found)


def fashion_mnist() -> Finding:
    """Whether Fashion-MNIST is on this machine; downloads nothing."""
    from fdd_flower.data.archives.idx import read_first
    from fdd_flower.data.sources.fashion_mnist import DEBIAN
    from fdd_flower.data.sources.paths import download_folder

    root = download_folder()
    try:
        found = read_first([root, root / "FashionMNIST" / "raw", DEBIAN])
    except FddError as error:
        return Finding("fashion-mnist", FAIL, f"damaged ({error.what})", error.remedy)
    if found is None:
        return Finding(
            "fashion-mnist",
            WARN,
            "not on this machine",
            "The first run with data.name=fashion-mnist downloads it; without a network set "
            "data.path to a folder with its four IDX files, or use data.name=digits.",
        )
    return Finding("fashion-mnist", OK, f"{len(found[0])} and {many(len(found[1]), 'image')}")


def cores() -> Finding:
    """Whether threads and load fit the cores."""
    from fdd_flower.config import RuntimeConfig
    from fdd_flower.launch.machine import cores as count_cores

    count, defaults = count_cores(), RuntimeConfig()
    wanted = max(defaults.client_threads, defaults.server_threads)
    text = (
        f"{count}; threads: {defaults.client_threads} per client, "
        f"{defaults.server_threads} for the server"
    )
    greedy = [name for name in THREAD_VARIABLES if _number(os.environ.get(name)) > count]
    if greedy:
        remedy = f"Set it to at most {count}: more threads than cores make a run crawl."
        return Finding("cores", WARN, f"{count}, but {', '.join(greedy)} asks for more", remedy)
    if wanted > count:
        remedy = f"Run with --set runtime.server-threads={count}."
        return Finding("cores", WARN, text, remedy)
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 2 * count:
        load = f"{count}, with a load of {os.getloadavg()[0]:.0f}"
        return Finding(
            "cores", WARN, load, "Wait until other work is done; until then, runs are slow."
        )
    return Finding("cores", OK, text)


def memory() -> Finding:
    """Whether Flower, the server and a client or two fit."""
    from fdd_flower.launch.machine import free_gb

    free = free_gb()
    text = f"{free:.1f} GB free"
    if free < NEEDED_GB:
        return Finding("memory", FAIL, text, "Close programs; a run needs about 1 GB per process.")
    if free < COMFORTABLE_GB:
        remedy = "Run with --in-process, which has one process for all clients."
        return Finding("memory", WARN, text, remedy)
    return Finding("memory", OK, text)


def port() -> Finding:
    """Whether a server can listen on the loopback."""
    from fdd_flower.launch.flower.superlink import free_port

    try:
        return Finding("loopback", OK, f"port {free_port()} is free")
    except FddError as error:
        return Finding("loopback", FAIL, str(error.got), error.remedy)


def output() -> Finding:
    """Whether a run can leave its files."""
    from datetime import datetime

    from fdd_flower.config import Config
    from fdd_flower.launch.output import choose

    try:
        path = choose(Config(), datetime.now())
    except FddError as error:
        return Finding("output", FAIL, f"{error.what}: {error.got}", error.remedy)
    nearest = next(folder for folder in path.parents if folder.exists())
    free = shutil.disk_usage(nearest).free / 1e9
    if free < DISK_GB:
        return Finding("output", WARN, f"{path.parent}, {free:.1f} GB free", "Make room.")
    return Finding("output", OK, f"{path.parent}, {free:.0f} GB free")


CHECKS: tuple[Callable[[], Finding], ...] = (
    python,
    torch,
    device,
    torchvision,
    flwr,
    flower_programs,
    ray,
    flwr_datasets,
    fashion_mnist,
    cores,
    memory,
    port,
    output,
)


def _imports(name: str, remedy: str) -> Finding:
    # Whatever an import raises is what the user has to be told, not only ImportError.
    try:
        importlib.import_module(name)
    except Exception as error:
        return Finding(name, FAIL, f"cannot be imported ({_one_line(error)})", remedy)
    return Finding(name, OK, _version(name) or "imported")


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
