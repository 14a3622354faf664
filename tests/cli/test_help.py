"""Every command explains itself, with an example."""

from __future__ import annotations

import json

import pytest

from fdd_flower.config import keys


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "show",
        "train",
        "predict",
        "compare",
        "ledger",
        "forget",
        "schema",
        "settings",
        "doctor",
        "audit",
    ],
)
def test_each_command_has_an_example(fdd, command):
    result = fdd(command, "--help")
    assert result.exit_code == 0
    assert f"Example: fdd {command}" in result.stdout
    assert "--json" in result.stdout


def test_without_a_command_there_is_help(fdd):
    assert "run" in fdd().output


def test_version_names_what_matters(fdd):
    result = fdd("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("fdd-flower ")
    assert all(name in result.stdout for name in ("flwr", "torch", "python"))


def test_settings_lists_every_key_with_its_default(fdd):
    found = {row["key"]: row for row in json.loads(fdd("settings", "--all", "--json").stdout)}
    assert list(found) == list(keys())
    assert all(found[name]["default"] == key.default for name, key in keys().items())


def test_settings_shows_first_what_matters_first(fdd):
    found = [row["key"] for row in json.loads(fdd("settings", "--json").stdout)]
    assert 15 <= len(found) <= 25
    assert {"distiller.bytes", "data.path", "privacy.mode"} <= set(found)
    shown = fdd("settings").stdout
    assert [
        line.split()[0] for line in shown.splitlines() if line.startswith(tuple(found))
    ] == found
    assert "distiller.moments" not in shown
    assert f"{len(found)} of {len(keys())} settings" in shown


def test_settings_searches_all_of_them(fdd):
    assert "distiller.moments" in fdd("settings", "covariances").stdout


def test_settings_can_be_searched(fdd):
    shown = fdd("settings", "PARTITION.").stdout
    assert "partition.alpha" in shown
    assert "codec.name" not in shown
