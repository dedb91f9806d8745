"""One name, one meaning: whoever reads a class's name knows which one it is."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("pos", "sync", "shop", "kiosk", "marketplace", "demo")


def test_no_two_public_classes_have_one_name() -> None:
    places = defaultdict(list)
    for path in (path for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))

    assert len(places) > 100
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
