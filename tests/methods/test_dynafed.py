"""DynaFed: FedAvg for as long as it watches, then tuned on what it saw."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdd_flower.config import Scalar
from fdd_flower.errors import ConfigError
from fdd_flower.run_folder.saved_set import load_set
from tests.methods.test_end_to_end import rounds, summary
from tests.server.test_resume import settings_of, start


def run(folder: Path, **changes: Scalar) -> Path:
    own = {key.replace("__", ".").replace("_", "-"): value for key, value in changes.items()}
    start(settings_of(folder, "dynafed") | own)
    return folder


def test_it_is_fedavg_until_there_are_rows(tmp_path: Path) -> None:
    plain = run(tmp_path / "plain", strategy__name="fedavg", **defaults())
    found = run(tmp_path / "run")
    before, after = rounds(plain), rounds(found)
    assert before[0]["accuracy"] == after[0]["accuracy"]  # one round is watched, as `rounds` is 2
    assert before[1]["loss"] != after[1]["loss"]
    assert [row["bytes_up"] for row in before] == [row["bytes_up"] for row in after]
    assert summary(found)["distiller"] == ""
    assert [row["seconds_train"] > 0 for row in after] == [False, True, True]


def test_its_rows_are_left_in_the_folder(tmp_path: Path) -> None:
    saved = load_set(run(tmp_path / "run", dynafed__ipc=3) / "synthetic.safetensors")
    assert saved.set.labels.bincount().tolist() == [3] * 10


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"dynafed__rounds": 9}, r"dynafed\.rounds: expected at most num-server-rounds = 3"),
        (
            {"strategy__name": "fedavg", "dynafed__ipc": 3},
            r"dynafed\.ipc: .*strategy\.name=fedavg",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        run(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def defaults() -> dict[str, Scalar]:
    """Return the settings of `dynafed` as they are, which another strategy must leave alone."""
    from fdd_flower.config import keys

    own = [key for key in keys().values() if key.section == "dynafed"]
    return {key.name.replace(".", "__").replace("-", "_"): key.default for key in own}
