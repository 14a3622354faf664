"""Defaults, then the file, then --set, then the options of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdd_flower.config import Config
from fdd_flower.errors import ConfigError
from fdd_flower.launch.settings import gather, read_file


def test_nothing_given_is_the_default():
    assert gather() == Config()


@pytest.mark.parametrize(
    "text",
    ['[data]\nname = "wine"\n[distiller]\nipc = 3', '"data.name" = "wine"\n"distiller.ipc" = 3'],
)
def test_a_file_may_be_nested_or_flat(tmp_path, text):
    file = tmp_path / "a.toml"
    file.write_text(text)
    assert read_file(file) == {"data.name": "wine", "distiller.ipc": 3}


def test_the_settings_file_of_an_older_run_will_do(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text("[scoring]\ncopied = 0.5\n[data]\nname = 'wine'\n")
    assert read_file(file) == {"data.name": "wine"}
    file.write_text("[scoring]\ncopied = 0.4\n")
    with pytest.raises(ConfigError, match=r"config\.toml, scoring\.copied.* 0\.4\. .*0\.5"):
        read_file(file)
    with pytest.raises(ConfigError, match=r"scoring\.copied"):
        gather(assignments=["scoring.copied=0.5"])


@pytest.mark.parametrize(
    ("path", "fine"),
    [
        (r'"C:\Users\me\a.csv"', False),
        (r'"C:\temp\b.csv"', False),
        (r"'C:\temp\b.csv'", True),
        (r'"C:\\temp\\b.csv"', True),
        ('"C:/temp/b.csv"', True),
    ],
)
def test_a_windows_path_needs_single_quotes(path, fine, tmp_path):
    file = tmp_path / "a.toml"
    file.write_text(f"[data]\npath = {path}\n")
    if fine:
        assert str(read_file(file)["data.path"]).endswith("b.csv")
        return
    with pytest.raises(ConfigError, match="in single quotes"):
        read_file(file)


def test_later_wins(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('num-server-rounds = 5\nseed = 1\n"distiller.ipc" = 3\noutput.dir = "/a"')
    cfg = gather(
        config_file=file,
        assignments=["distiller.ipc=4", "distiller.ipc=6", "num-server-rounds=7"],
        rounds=8,
        out=Path("/b/../c"),
    )
    assert (cfg.seed, cfg.distiller.ipc, cfg.num_server_rounds) == (1, 6, 8)
    assert cfg.output.dir == "/c"


def test_a_value_may_hold_an_equals_sign():
    assert gather(assignments=["data.label=a=b"]).data.label == "a=b"


def test_relative_paths_are_taken_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = gather(assignments=["data.path=my/data.csv"], out=Path("out"))
    assert cfg.data.path == str(tmp_path / "my/data.csv")
    assert cfg.output.dir == str(tmp_path / "out")
