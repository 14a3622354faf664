"""Counts are words: one of a thing is never several."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from fdd_flower.wording import many

PACKAGE = Path(__file__).parent.parent / "fdd_flower"


@pytest.mark.parametrize(
    ("count", "what", "words"),
    [
        (0, "record", "0 records"),
        (1, "client", "1 client"),
        (1.0, "sample", "1 sample"),
        (np.int64(2870), "row", "2,870 rows"),
        (1, "class", "1 class"),
        (3, "reply", "3 replies"),
        (2, "synthetic row", "2 synthetic rows"),
        (12.5, "sample", "12.5 samples"),
    ],
)
def test_a_count_is_one_or_many(count: float, what: str, words: str):
    assert many(count, what) == words


def test_what_a_run_says_counts_by_the_helper():
    """No line of log or report writes `{count} clients`, which would say "1 clients"."""
    counted = re.compile(r" ?(clients|records|rows|rounds|classes|steps|files|images)\b")
    found = []
    for part in ("server", "client", "launch", "report", "api", "results/export"):
        for path in (PACKAGE / part).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    found += [
                        f"{path.name}:{node.lineno}"
                        for value, text in zip(node.values, node.values[1:], strict=False)
                        if isinstance(value, ast.FormattedValue)
                        and isinstance(text, ast.Constant)
                        and counted.match(str(text.value))
                    ]
    assert found == []
