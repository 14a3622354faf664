"""Names to components: files, registrations, entry points, `package.module:Factory`."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import fdd_flower.registry
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.errors import ConfigError
from fdd_flower.mergers.base import MERGERS
from fdd_flower.models.base import MODELS
from fdd_flower.registry import Registry
from fdd_flower.wire.codecs.base import CODECS

REGISTRIES = [MODELS, MERGERS, CODECS, DISTILLERS]


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda r: r.kind)
def test_a_file_is_a_component_of_its_name(registry: Registry) -> None:
    folder = Path(fdd_flower.registry.__file__).parent.joinpath(*registry.package.split(".")[1:])
    files = {p.stem for p in folder.glob("[!_]*.py")} - {"base", "spectrum", "prior"}
    assert registry.built_in() == sorted(f.replace("_", "-") for f in files)
    assert all(callable(registry.get(name)) for name in registry.built_in())


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda r: r.kind)
@pytest.mark.parametrize("name", ["nope", "", "base", "_shapes", "-shapes", "class_balanced"])
def test_an_unknown_name_lists_the_known_ones(registry: Registry, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        registry.get(name)
    assert caught.value.what == f"{registry.kind}.name"
    assert caught.value.got == repr(name)
    assert all(known in caught.value.expected for known in registry.built_in())


def test_a_decorator_files_and_returns_its_argument() -> None:
    registry: Registry[object] = Registry("merger", "fdd_flower.mergers")
    component = registry.register("mine")(object())
    assert registry.get("mine") is component
    assert registry.names() == sorted([*registry.built_in(), "mine"])


def test_a_factory_may_live_in_any_package() -> None:
    assert MERGERS.get("collections:OrderedDict").__name__ == "OrderedDict"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "target",
    [
        "no_such_package:Factory",
        "collections:NoSuchName",
        "collections:",
        ":Factory",
        ":",
        ".relative:Factory",
        "a..b:Factory",
    ],
)
def test_a_factory_that_does_not_import_is_a_config_error(target: str) -> None:
    with pytest.raises(
        ConfigError, match=r"package\.module:Factory that can be imported"
    ) as caught:
        MERGERS.get(target)
    assert repr(target) in str(caught.value.got)


def test_an_entry_point_is_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("theirs", "collections:Counter", "fdd_flower.merger")

    def entry_points(*, group: str, name: str | None = None) -> list[EntryPoint]:
        return [point] if group == point.group and name in (None, point.name) else []

    monkeypatch.setattr(fdd_flower.registry, "entry_points", entry_points)
    assert "theirs" in MERGERS.names()
    assert MERGERS.get("theirs").__name__ == "Counter"  # type: ignore[attr-defined]
    assert "theirs" not in CODECS.names()
