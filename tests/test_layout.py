"""Who may import whom, held against the source: to the left only, and siblings never."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fdd_flower"
ORDER = [
    {"errors", "rng", "registry", "device", "synthetic_set", "schema", "threads", "wording", ""},
    {"config"},
    {"models", "data", "privacy"},
    {"training", "distillers", "mergers", "sketches", "releases", "wire.codecs"},
    {"run_folder", "ledger", "scoring", "report", "results", "audit"},
    {"progress_log", "wire.records", "secure_sum", "client", "server", "methods"},
    {"local_grid", "bench", "launch", "commands", "cli", "api"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
WITH_FLOWER = {name for names in ORDER[-2:] for name in names}
# files that hold one component each; what they share is in `base`, helpers, or a folder beside them
SIBLINGS_APART = {"distillers", "mergers", "models", "data.sources", "sketches", "wire.codecs"}
HELPERS = {"base", "paths", "integers", "spectrum", "synthesis"}
MOST_FILES = 15  # of one folder: more of them hold a second idea
FILES = sorted(PACKAGE.rglob("*.py"))


def _part(module: str) -> str:
    """Return the part of the house that `fdd_flower.<...>` belongs to."""
    names = module.split(".")[1:]
    if names[:1] == ["wire"]:
        # what reads and checks arrays needs no Flower; what makes messages of them does
        flowerless = names[1:2] in (["codecs"], ["arrays"], ["refusals"], ["resolution"])
        return "wire.codecs" if flowerless else "wire.records" if names[1:] else ""
    return names[0] if names else ""


def _module(path: Path) -> str:
    names = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def _imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found


PACKAGES = {_module(path) for path in FILES if path.stem == "__init__"}


@pytest.fixture(scope="module")
def edges() -> list[tuple[str, str]]:
    """Return every import of the package: (who imports, what)."""
    found = [(_module(path), module) for path in FILES for module in _imports(path)]
    assert len(found) > 1000
    return found


def _within(edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    # the package's own file names the API for type checkers, and imports it when it is asked for
    return [
        (own, module)
        for own, module in edges
        if module.split(".")[0] == "fdd_flower" and own != "fdd_flower"
    ]


def _folder(module: str) -> str:
    """Return the package that the file of `module` lies in."""
    return module if module in PACKAGES else module.rpartition(".")[0]


def test_imports_point_to_the_left(edges: list[tuple[str, str]]):
    assert [
        f"{own} imports {module}"
        for own, module in _within(edges)
        if RANK[_part(module)] > RANK[_part(own)]
    ] == []


def test_only_the_last_two_groups_know_flower(edges: list[tuple[str, str]]):
    assert [
        f"{own} imports {module}"
        for own, module in edges
        if module.split(".")[0] == "flwr" and _part(own) not in WITH_FLOWER
    ] == []


def test_sibling_components_do_not_import_each_other(edges: list[tuple[str, str]]):
    apart = {f"fdd_flower.{name}" for name in SIBLINGS_APART}
    assert [
        f"{own} imports {module}"
        for own, module in _within(edges)
        if own not in PACKAGES
        and _folder(own) in apart
        and module.rpartition(".")[0] == _folder(own)
        and not (module.rpartition(".")[2] in HELPERS or module.rpartition(".")[2].startswith("_"))
    ] == []


def test_a_file_with_an_underscore_is_used_by_its_own_folder_alone(edges: list[tuple[str, str]]):
    assert [
        f"{own} imports {module}"
        for own, module in _within(edges)
        if module.rpartition(".")[2].startswith("_") and module.rpartition(".")[0] != _folder(own)
    ] == []


def test_a_folder_holds_one_idea():
    files = Counter(
        str(path.parent.relative_to(PACKAGE)) for path in FILES if path.stem != "__init__"
    )
    assert {folder: count for folder, count in files.items() if count > MOST_FILES} == {}


@pytest.mark.parametrize("name", ["client_app", "server_app"])
def test_the_entry_files_are_thin_and_assign_app_plainly(name: str):
    source = (PACKAGE.parent / f"{name}.py").read_text()
    assert len(source.splitlines()) <= 80
    assigned = [
        target.id
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)  # Flower does not find an annotated assignment
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    assert assigned == ["app"]
