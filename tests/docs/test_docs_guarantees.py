"""docs/guarantees.md promises nothing without a test: each row of its tables names tests, and they exist."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()
NAMED = re.compile(r"`([^`\s]+\.py)::(test_\w+)`")


@cache
def functions_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def rows() -> list[str]:
    """Rows of tables, without heads and the lines below them."""
    lines = PAGE.splitlines()
    heads = {at - 1 for at, line in enumerate(lines) if re.fullmatch(r"[|\s:-]*-[|\s:-]*", line)}
    return [line for at, line in enumerate(lines) if line.startswith("|") and at not in heads and at - 1 not in heads]


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(PAGE)
    missing = [
        f"{path}::{name}" for path, name in named if not (ROOT / path).exists() or name not in functions_in(path)
    ]
    assert named
    assert missing == []


def test_every_row_names_the_test_that_proves_it() -> None:
    found = rows()
    assert found
    assert [row for row in found if not NAMED.search(row)] == []
