"""Presets: they fill what is left open, for the records that they were measured on, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fdd_flower.bench.distil.settings import config_from
from fdd_flower.commands import audit
from fdd_flower.config import (
    NONE,
    Config,
    from_run_config,
    keys,
    to_run_config,
    with_preset,
)
from fdd_flower.errors import ConfigError
from fdd_flower.launch.begun import LAUNCH, read_begun
from fdd_flower.run_folder.load import read_config

GREY, COLOUR = (1, 28, 28), (3, 32, 32)


def filled(
    settings: dict[str, Any], *, shape: tuple[int, ...] = GREY, classes: int = 10
) -> dict[str, Any]:
    """Return what a preset, or else `balanced`, says beside `settings`."""
    settings = {"preset": "balanced", **settings}
    found = with_preset(from_run_config(settings), shape=shape, classes=classes, given=settings)
    flat = to_run_config(found.config)
    assert flat["preset"] == NONE
    expected = {**to_run_config(from_run_config(settings)), **found.chosen, "preset": NONE}
    assert flat == expected  # nothing else has changed
    return dict(found.chosen)


def test_bytes_grow_from_preset_to_preset() -> None:
    sizes = [filled({"preset": name})["distiller.bytes"] for name in ("tiny", "balanced", "best")]
    assert sizes == [8_000, 40_000, 100_000]


def test_who_sets_nothing_gets_balanced_and_only_for_images() -> None:
    assert Config().preset == "balanced"
    bare = to_run_config(Config())
    found = with_preset(Config(), shape=GREY, classes=10)
    assert found.chosen == filled({}, shape=GREY)
    assert found.chosen["distiller.bytes"] == 40_000
    for shape in ((13,), (6, 128), (1, 8, 8)):  # a table, a series, the digits of a first run
        same = to_run_config(with_preset(Config(), shape=shape, classes=10).config)
        assert same == bare | {"preset": NONE}


def test_none_leaves_every_setting_as_it_stands() -> None:
    assert filled({"preset": "none"}) == {}
    assert filled({"preset": "none", "distiller.bytes": 9_000}) == {}


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({}, (13,)),  # a table
        ({}, (6, 128)),  # a series
        ({}, (1, 8, 8)),  # small images
        ({}, (2, 28, 28)),  # no codec for images takes them
        ({"distiller.ipc": 10}, GREY),  # rows a class, though so many are the default
        ({"distiller.bytes": 0}, GREY),
        ({"codec.name": "uint8"}, GREY),
        ({"strategy.name": "fedavg"}, GREY),
        ({"privacy.mode": "dp-moments"}, GREY),
    ],
)
def test_it_says_nothing_of_what_it_was_not_measured_for(
    settings: dict[str, Any], shape: tuple[int, ...]
) -> None:
    for preset in ("tiny", "balanced", "best"):
        assert filled(settings | {"preset": preset}, shape=shape) == {}


def test_what_is_given_wins_be_it_the_default() -> None:
    default = keys()["distiller.steps"].default
    found = filled({"distiller.steps": default, "codec.quality": 77})
    assert found["codec.name"] == "avif"
    assert not {"distiller.steps", "codec.quality"} & set(found)


def test_flower_hands_over_every_key_so_a_default_counts_as_open() -> None:
    cfg = from_run_config(to_run_config(Config()) | {"preset": "balanced", "codec.quality": 77})
    found = with_preset(cfg, shape=GREY, classes=10)
    assert found.chosen == filled({"codec.quality": 77})
    again = with_preset(found.config, shape=GREY, classes=10)
    assert (again.config, again.chosen) == (found.config, {})
    assert "codec.name = avif" in found.words("balanced")
    assert "distiller.codec-aware = true" in found.words("balanced")


def test_bytes_that_are_given_choose_the_rest() -> None:
    few, many = (filled({"distiller.bytes": size}) for size in (8_000, 100_000))
    assert few["codec.quality"] < many["codec.quality"]
    assert few["distiller.steps"] > many["distiller.steps"]
    assert "distiller.bytes" not in few


def test_more_classes_and_larger_images_have_more_bytes_at_the_same_quality() -> None:
    usual = filled({}, shape=COLOUR)
    many = filled({}, shape=COLOUR, classes=100)
    assert many["distiller.bytes"] == 10 * usual["distiller.bytes"]
    assert many.get("codec.quality") == usual.get("codec.quality")
    assert filled({}, shape=(3, 128, 128))["distiller.bytes"] == 160_000


def test_photographs_start_sharp_and_grey_images_as_before() -> None:
    for preset in ("tiny", "balanced", "best"):
        assert filled({"preset": preset}, shape=COLOUR)["distiller.start"] == "sharp"
        assert "distiller.start" not in filled({"preset": preset})
        assert "distiller.start" not in filled(
            {"preset": preset, "distiller.name": "krr"}, shape=COLOUR
        )


def test_a_baseline_has_the_codec_and_the_training_and_no_steps_of_its_own() -> None:
    found = filled({"distiller.name": "random"})
    shared = {k: v for k, v in filled({}).items() if k in found}
    assert found == shared
    assert not {"distiller.steps", "distiller.networks", "distiller.codec-aware"} & set(found)


def test_a_network_teaches_other_models_only_where_there_is_time() -> None:
    assert "server.teacher" not in filled({"model.name": "cnn"})
    assert filled({"model.name": "cnn", "preset": "best"})["server.teacher"] == "convnet"
    assert filled({"preset": "best"})["model.name"] == "convnet"
    assert "server.teacher" not in filled({"preset": "best"})
    assert "server.teacher" not in filled({"preset": "best", "model.name": "convnet"})


def test_settings_of_a_version_without_presets_had_none(tmp_path: Path) -> None:
    for stored, preset in (("seed = 3", NONE), ('preset = "tiny"', "tiny")):
        path = tmp_path / "config.toml"
        path.write_text(stored, encoding="utf-8")
        assert read_config(path).preset == preset
        begun = f"clients = 2\n[settings]\n{stored}\n"
        (tmp_path / LAUNCH).write_text(begun, encoding="utf-8")
        found = read_begun(tmp_path)
        assert found is not None
        assert found.config.preset == preset


def test_what_measures_settings_as_they_stand_refuses_a_preset() -> None:
    assert config_from("digits", [("preset", NONE)], threads=1).preset == NONE
    assert config_from("digits", [], threads=1).preset == NONE
    assert audit._settings("digits", []).preset == NONE
    assert audit._settings("digits", ["preset=none"]).preset == NONE
    with pytest.raises(ConfigError, match="preset"):
        config_from("digits", [("preset", "tiny")], threads=1)
    with pytest.raises(ConfigError, match="preset"):
        audit._settings("digits", ["preset=tiny"])


def test_only_the_best_trains_longer_than_the_rows_ask_for() -> None:
    assert "training.steps" not in filled({"preset": "balanced"})
    best, short = filled({"preset": "best"}), filled({"preset": "best", "distiller.bytes": 8_000})
    assert best["training.steps"] > short["training.steps"]
    assert filled({"preset": "best", "training.batch-size": 32})["training.steps"] == 15_000
