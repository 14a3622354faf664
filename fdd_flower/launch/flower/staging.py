"""A temporary folder for each run: Flower's home, the app to be bundled, its settings.

`flwr run` bundles a folder. A copy made at the start means that a run uses one state of the
code throughout, and that `flwr run`, which may rewrite pyproject.toml, has its own to rewrite.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tomli_w

import fdd_flower
from fdd_flower.config import Config, nested, to_run_config
from fdd_flower.launch.flower.entry_points import ENTRY_FILES, entry_file

CONNECTION = "fdd"  # the SuperLink's name in Flower's config file

# Ray puts Unix sockets 67 characters below its folder, and their paths end at 103 on macOS
LONGEST = 34


@dataclass(frozen=True, slots=True)
class Stage:
    """The temporary folder of one run."""

    path: Path

    @property
    def flwr_home(self) -> Path:
        """Flower's home: its config file and the bundles it unpacks."""
        return self.path / "flwr"

    @property
    def cwd(self) -> Path:
        """The working folder of every process: empty, so that nothing is imported from it."""
        return self.path / "cwd"

    @property
    def app(self) -> Path:
        """The app that `flwr run` bundles."""
        return self.path / "app"

    @property
    def run_config(self) -> Path:
        """All settings of the run, as `flwr run --run-config` reads them."""
        return self.path / "run.toml"

    @property
    def log(self) -> Path:
        """What every process of the run printed."""
        return self.path / "flower.log"

    def remove(self) -> None:
        """Delete the folder, as far as it can be."""
        shutil.rmtree(self.path, ignore_errors=True)


def make_stage() -> Stage:
    """Make the folder of a run, still empty; the caller removes it."""
    stage = Stage(Path(tempfile.mkdtemp(prefix="fdd-")).resolve())
    if len(str(stage.path)) > LONGEST and Path("/tmp").is_dir():
        stage.remove()
        stage = Stage(Path(tempfile.mkdtemp(prefix="fdd-", dir="/tmp")))
    return stage


def fill_stage(stage: Stage, cfg: Config) -> None:
    """Put into `stage` the app, the settings `cfg` and an empty log.

    Raises
    ------
    LaunchError
        If an entry file is missing.
    """
    stage.log.touch()
    for folder in (stage.flwr_home, stage.cwd, stage.app):
        folder.mkdir()
    stage.run_config.write_text(tomli_w.dumps(nested(to_run_config(cfg))), encoding="utf-8")
    _write_app(stage.app)


def write_connection(stage: Stage, port: int) -> None:
    """Tell `flwr` where this run's SuperLink listens."""
    connection = {"address": f"127.0.0.1:{port}", "insecure": True}
    text = tomli_w.dumps({"superlink": {"default": CONNECTION, CONNECTION: connection}})
    (stage.flwr_home / "config.toml").write_text(text, encoding="utf-8")


def _write_app(folder: Path) -> None:
    package = Path(fdd_flower.__file__).parent
    shutil.copytree(
        package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
    )
    for name in ENTRY_FILES:
        shutil.copyfile(entry_file(name), folder / name)
    (folder / "pyproject.toml").write_text(tomli_w.dumps(app_project()), encoding="utf-8")


def app_project() -> dict[str, object]:
    """Return the pyproject.toml of the bundle: what Flower asks for, and no dependencies.

    Flower refuses run config keys that are not declared, so every one is.
    """
    return {
        "project": {
            "name": "fdd-flower",
            "version": fdd_flower.__version__,
            "description": "Federated dataset distillation on Flower.",
            "license": "Apache-2.0",
            "dependencies": [],
        },
        "tool": {
            "flwr": {
                "app": {
                    "publisher": "fdd-flower",
                    "components": {
                        "serverapp": "server_app:app",
                        "clientapp": "client_app:app",
                    },
                    "config": nested(to_run_config(Config())),
                }
            }
        },
    }
