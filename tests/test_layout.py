"""Who may import whom, held against the source: to the left only, and siblings never."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fdd_flower"
ORDER = [
    {"errors", "rng", "registry", "synthetic_set", "augment", "packing", "herd"}
    | {"threads", "allocator", "optimisers", "class_logits", "secure_sum", ""},
    {"config"},
    {"models", "data", "privacy"},
    {"ridge", "training", "distillers", "mergers", "sketches", "wire.codecs"}
    | {"virtual_data", "trajectory"},
    {"ledger", "report", "bench", "scoring"},
    {"wire.records", "wire.class_logits", "strategies"},
    {"local_grid", "bench.load", "bench.federated", "launch", "commands", "doctor", "cli"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
WITH_FLOWER = {name for names in ORDER[-2:] for name in names}
SIBLINGS_APART = {"distillers", "mergers", "models", "data", "sketches", "wire.codecs"}
FILES = sorted(PACKAGE.rglob("*.py"))


def _part(module: str) -> str:
    """Return the part of the house that `fdd_flower.<...>` belongs to."""
    names = module.split(".")[1:]
    if names[0:1] == ["bench"] and names[1:2] in (["load"], ["federated"]):
        return ".".join(names[:2])  # they take replies in as a server does, or run whole methods
    if names[:1] == ["wire"]:
        return ".".join(names[:2]) if len(names) > 1 else ""
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
    part = _part(_module(path))
    if part not in SIBLINGS_APART or path.stem == "__init__":
        return
    for module in _imports(path):
        if module.startswith(f"fdd_flower.{part}."):
            leaf = module.split(".")[-1]
            assert leaf == "base" or leaf.startswith("_"), f"{_module(path)} imports {module}"


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
