"""The run config: types, ranges, names, and that every place says the same defaults."""

import dataclasses
import pickle
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fdd_flower.config import (
    REMOVED,
    Config,
    Key,
    find_key,
    flatten,
    from_run_config,
    keys,
    nested,
    sections,
    to_run_config,
    without_removed,
)
from fdd_flower.data import SOURCES
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.errors import ConfigError
from fdd_flower.mergers.base import MERGERS
from fdd_flower.methods.base import STRATEGIES
from fdd_flower.models.base import MODELS
from fdd_flower.registry import Registry
from fdd_flower.wire.codecs.base import AUTO, CODECS

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
ALL = list(keys().values())
NUMBERS = [key for key in ALL if key.kind in (int, float)]
WRONG_TYPES: dict[type, list[Any]] = {
    bool: [0, 1, 1.0, "true", None],
    int: [1.0, 2.5, True, "3", None, [1]],
    float: [True, "0.5", None, [0.5]],
    str: [0, 1.5, True, None, ["a"]],
}


def other_value(key: Key) -> Any:
    """Return an allowed value that is not the default."""
    if key.choices:
        return next((c for c in key.choices if c != key.default), key.default)
    if key.kind is bool:
        return not key.default
    if key.kind is str:
        return "other"
    return key.kind(key.high if key.default != key.high else key.low)  # type: ignore[arg-type]


def test_pyproject_has_the_defaults_of_the_dataclasses() -> None:
    tables = tomllib.loads(PYPROJECT.read_text())["tool"]["flwr"]["app"]["config"]
    written = {k: (type(v), v) for k, v in flatten(tables).items()}
    assert written == {k: (type(v), v) for k, v in to_run_config(Config()).items()}


def test_an_empty_run_config_is_the_defaults() -> None:
    assert from_run_config({}) == Config()


def test_keys_are_flowers_form_and_all_documented() -> None:
    assert {"num-server-rounds", "seed", "distiller.ipc", "model.name"} <= set(keys())
    for key in ALL:
        assert key.name == key.name.lower().replace("_", "-")
        assert key.doc
        assert key.check(key.default) == key.default
        assert (key.low is not None) == (key.kind in (int, float))


def test_every_key_changes_its_own_setting_and_no_other() -> None:
    defaults = to_run_config(Config())
    for key in ALL:
        value = other_value(key)
        changed = to_run_config(from_run_config({key.name: value}))
        assert changed == defaults | {key.name: value}


def test_a_run_config_goes_there_and_back() -> None:
    flat = {key.name: other_value(key) for key in ALL}
    config = from_run_config(flat)
    assert to_run_config(config) == flat
    assert from_run_config(to_run_config(config)) == config


def test_tables_and_the_flat_form_are_inverse() -> None:
    flat = to_run_config(Config())
    tables = nested(flat)
    assert flatten(tables) == flat
    assert set(tables) == {"num-server-rounds", "preset", "seed", "resume", *sections()}
    assert tables["distiller"]["ipc"] == flat["distiller.ipc"]
    assert flatten({"a": {"b": {"c": 1}}, "d": 2}) == {"a.b.c": 1, "d": 2}
    assert nested({}) == flatten({}) == {}


def test_a_wrong_type_names_key_and_value_and_what_is_allowed() -> None:
    for key, value in ((k, value) for k in ALL for value in WRONG_TYPES[k.kind]):
        with pytest.raises(ConfigError) as caught:
            from_run_config({key.name: value})
        assert caught.value.what == key.name
        assert repr(value) in str(caught.value.got)
        assert caught.value.expected == key.allowed
        assert str(key.default).lower() in caught.value.remedy.lower()


def test_both_ends_of_a_range_are_in_and_what_is_beyond_is_out() -> None:
    for key in NUMBERS:
        assert key.low is not None
        assert key.high is not None
        assert key.check(key.kind(key.low)) == key.low
        assert key.check(key.kind(key.high)) == key.high
        step = 1 if key.kind is int else 1e-9
        beyond = [key.kind(key.low - step), key.kind(key.high * (1 + 1e-9) + step)]
        if key.kind is float:
            beyond += [float("nan"), float("inf"), float("-inf")]
        for value in beyond:
            with pytest.raises(ConfigError) as caught:
                key.check(value)
            assert caught.value.what == key.name
            ends = caught.value.expected.replace(",", "").partition("from ")[2].split(" to ")
            assert [float(end) for end in ends] == [key.low, key.high]


def test_a_choice_lists_the_choices() -> None:
    chosen = [key for key in ALL if key.choices]
    for key, value in ((k, v) for k in chosen for v in ("", "no such", k.choices[0].upper())):
        with pytest.raises(ConfigError) as caught:
            key.check(value)
        assert all(choice in caught.value.expected for choice in key.choices)


def test_an_integer_will_do_where_a_number_is_asked() -> None:
    rate = from_run_config({"strategy.deadline": 30}).strategy.deadline
    assert (rate, type(rate)) == (30.0, float)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("distiler.ipc", "distiller.ipc"),
        ("distiller.icp", "distiller.ipc"),
        ("num_server_rounds", "num-server-rounds"),
        ("local.batch_size", "local.batch-size"),
        ("model.nam", "model.name"),
        ("Seed", "seed"),
    ],
)
def test_an_unknown_key_suggests_the_one_that_was_meant(typed: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"such as .*{meant}") as caught:
        from_run_config({typed: 1})
    assert typed in caught.value.what


def test_an_unknown_key_that_is_near_none_suggests_none() -> None:
    with pytest.raises(ConfigError, match=r"expected a declared key; got an unknown one"):
        find_key("zzzzzzzz")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("seed", "7", 7),
        ("seed", " 7 ", 7),
        ("strategy.deadline", "2", 2.0),
        ("strategy.deadline", "1e3", 1000.0),
        ("distiller.augment", "False", False),
        ("distiller.augment", "true", True),
        ("model.name", "mlp", "mlp"),
        ("model.name", "'mlp'", "mlp"),
        ("output.dir", '""', ""),
        ("training.start", "warm", "warm"),
    ],
)
def test_text_from_a_command_line_is_read_in_the_keys_type(
    name: str, text: str, value: object
) -> None:
    parsed = find_key(name).parse(text)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("seed", "1.5"),
        ("seed", "x"),
        ("seed", ""),
        ("seed", "-1"),
        ("strategy.deadline", "fast"),
        ("strategy.deadline", "nan"),
        ("distiller.augment", "yes"),
        ("distiller.augment", "1"),
        ("training.start", "wram"),
    ],
)
def test_text_of_another_type_is_a_config_error(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=name):
        find_key(name).parse(text)


def test_a_config_is_frozen_and_travels_between_processes() -> None:
    config = from_run_config({"model.name": "mlp"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(config)) == config


def test_an_error_travels_between_processes() -> None:
    error = ConfigError("seed", expected="an integer", got="x", remedy="Set it.")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is ConfigError
    assert str(again) == str(error) == "seed: expected an integer; got x. Set it."
    assert (again.what, again.expected, again.got, again.remedy) == (
        "seed",
        "an integer",
        "x",
        "Set it.",
    )


def test_a_key_of_an_older_version_says_what_replaces_it() -> None:
    for name, removed in REMOVED.items():
        assert name not in keys()
        assert {type(value) for value in removed.same} <= {type(removed.same[0])}
        with pytest.raises(ConfigError) as caught:
            from_run_config({name: removed.same[0]})
        assert caught.value.what == name
        assert caught.value.remedy == removed.instead


def test_stored_settings_of_old_open_where_they_mean_what_is_done_now() -> None:
    old = {"seed": 3, **{name: removed.same[0] for name, removed in REMOVED.items()}}
    assert without_removed(old) == ({"seed": 3}, {})
    old["scoring.copied"] = 0.9
    with pytest.raises(ConfigError, match=r"scoring\.copied: .* got 0\.9\. .*0\.5"):
        without_removed(old)
    assert without_removed(old, strict=False) == ({"seed": 3}, {"scoring.copied": 0.9})
    assert "seed" in old


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("data.name", SOURCES),
        ("model.name", MODELS),
        ("distiller.name", DISTILLERS),
        ("merger.name", MERGERS),
        ("codec.name", CODECS),
        ("strategy.name", STRATEGIES),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_text_of_a_name_lists_all_that_there_are(key: str, registry: Registry[Any]) -> None:
    more = {AUTO} if registry is CODECS else set()  # stands for another by the records' shape
    assert keys()[key].doc.split(", ") == sorted({*registry.names(), *more})


def test_twenty_settings_come_first() -> None:
    assert sum(key.first for key in keys().values()) == 20
