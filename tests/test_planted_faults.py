"""The planted faults can be planted: what each changes is still there, once."""

from __future__ import annotations

import ast

import pytest

from tests.planted_faults import FAULTS, ROOT


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_changes_one_place_and_leaves_python(name: str) -> None:
    fault = FAULTS[name]
    text = (ROOT / "fdd_flower" / fault.file).read_text()
    assert text.count(fault.old) == 1
    planted = ast.parse(text.replace(fault.old, fault.new))
    assert ast.dump(planted) != ast.dump(ast.parse(text))
    assert all((ROOT / "tests" / path).exists() for path in fault.tests.split())
