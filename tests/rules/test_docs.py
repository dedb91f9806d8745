"""What can be typed can be read about: every command and every setting of the environment stands in the docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from comptoir import comptoir

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(group: click.Group, *names: str) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield (*names, name)


def docs() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in PAGES if path.exists())


def test_every_command_stands_in_the_docs() -> None:
    said = " ".join(docs().split())
    every = [f"comptoir {' '.join(names)}" for names in commands(comptoir)]

    assert len(every) > 10
    assert [command for command in every if not re.search(rf"{re.escape(command)}\b", said)] == []


def test_every_setting_of_the_environment_stands_in_the_docs() -> None:
    parts = (
        "comptoir.py",
        "pos",
        "sync",
        "shop",
        "kiosk",
        "marketplace",
        "demo",
        "tests/conftest.py",
        "tests/marketplace",
        "tests/journeys",
    )
    files = [path for part in parts for path in ([ROOT / part] if part.endswith(".py") else (ROOT / part).rglob("*.py"))]
    settings = {name for path in files for name in re.findall(r"\bCOMPTOIR_[A-Z_]+\b", path.read_text(encoding="utf-8"))}
    inner = {"COMPTOIR_MARKETPLACE", "COMPTOIR_SERVER"}  # set by `marketplace serve` for its own worker processes

    assert sorted(name for name in settings - inner if name not in docs()) == []


def test_every_path_a_page_names_exists() -> None:
    for page in PAGES:
        if page.exists():
            links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8"))
            assert [link for link in links if not (page.parent / link).exists()] == []
