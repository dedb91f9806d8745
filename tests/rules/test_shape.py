"""How long a module and a function may be, and how far a word that names nothing may reach (STYLE.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("pos", "sync", "shop", "kiosk", "marketplace", "demo", "bench")
MODULES = sorted([ROOT / "comptoir.py", *(path for part in PARTS for path in (ROOT / part).rglob("*.py"))])
MOST_MODULE_LINES = 400
MOST_FUNCTION_LINES = 60
LOOSE_WORDS = frozenset({"each", "found", "here", "there"})
LOOSE_WORD_LINES = 3

Function = ast.FunctionDef | ast.AsyncFunctionDef
SCOPES = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def loose_words(function: Function) -> Iterator[str]:
    """The words of a function that name nothing and are seen over more lines than a glance takes in, from where they are set.

    What a comprehension or a lambda binds is seen in it alone.
    """
    ends = {node.targets[0].lineno: node.end_lineno or 0 for node in ast.walk(function) if isinstance(node, ast.Assign)}
    small = [
        node
        for node in ast.walk(function)
        if isinstance(node, SCOPES) and (node.end_lineno or 0) - node.lineno < LOOSE_WORD_LINES
    ]
    own = {id(name) for scope in small for name in ast.walk(scope)}
    lines: dict[str, list[int]] = {}
    for node in ast.walk(function):
        word = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""
        if word in LOOSE_WORDS and isinstance(node, ast.Name | ast.arg) and id(node) not in own:
            lines.setdefault(word, []).append(ends.get(node.lineno, node.lineno))
    yield from (word for word, seen in lines.items() if max(seen) - min(seen) > LOOSE_WORD_LINES)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_a_page_that_can_be_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_MODULE_LINES
    assert [each.name for each in functions(path) if (each.end_lineno or 0) - each.lineno >= MOST_FUNCTION_LINES] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_variable_seen_over_many_lines_is_a_noun(path: Path) -> None:
    assert [f"{function.name}: {word}" for function in functions(path) for word in loose_words(function)] == []
