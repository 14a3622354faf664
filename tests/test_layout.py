"""Who may import whom, held against the source: to the left only, and siblings never."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fdd_flower"
ORDER = [
    {"errors", "rng", "registry", "device", "synthetic_set", "schema", "threads", ""},
    {"config"},
    {"models", "data", "privacy"},
    {"training", "distillers", "mergers", "sketches", "wire.codecs"},
    {"run_folder", "ledger", "scoring", "report", "results", "audit"},
    {"progress_log", "wire.records", "secure_sum", "client", "server", "methods"},
    {"local_grid", "bench", "launch", "commands", "cli"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
WITH_FLOWER = {name for names in ORDER[-2:] for name in names}
# files that hold one component each; what they share is in `base`, helpers, or a folder beside them
SIBLINGS_APART = {"distillers", "mergers", "models", "data.sources", "sketches", "wire.codecs"}
HELPERS = {"base", "paths", "idx", "integers", "synthesis"}
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


@pytest.mark.parametrize("path", FILES, ids=_module)
def test_imports_point_to_the_left(path: Path):
    own = _part(_module(path))
    for module in _imports(path):
        if module.split(".")[0] == "fdd_flower":
            assert RANK[_part(module)] <= RANK[own], f"{_module(path)} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=_module)
def test_only_the_last_two_groups_know_flower(path: Path):
    if _part(_module(path)) not in WITH_FLOWER:
        assert not [m for m in _imports(path) if m.split(".")[0] == "flwr"]


@pytest.mark.parametrize("path", FILES, ids=_module)
def test_sibling_components_do_not_import_each_other(path: Path):
    folder = _module(path).rpartition(".")[0].removeprefix("fdd_flower.")
    if folder not in SIBLINGS_APART or path.stem == "__init__":
        return
    for module in _imports(path):
        parent, _, leaf = module.removeprefix("fdd_flower.").rpartition(".")
        if parent == folder:
            assert leaf in HELPERS or leaf.startswith("_"), f"{_module(path)} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=_module)
def test_a_file_with_an_underscore_is_used_by_its_own_folder_alone(path: Path):
    folder = _module(path) if path.stem == "__init__" else _module(path).rpartition(".")[0]
    for module in _imports(path):
        parent, _, leaf = module.rpartition(".")
        if module.startswith("fdd_flower.") and leaf.startswith("_"):
            assert parent == folder, f"{_module(path)} imports {module}"


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=str)
def test_a_folder_holds_one_idea(folder: Path):
    found = [path.name for path in folder.glob("*.py") if path.stem != "__init__"]
    assert len(found) <= MOST_FILES, f"{folder.name} has {len(found)} files: two ideas?"


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
