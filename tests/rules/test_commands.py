"""The help of a group is written from one list: what it says of a command is what the command says of itself."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from comptoir import Gathering, comptoir


def gathered(group: Gathering) -> Iterator[tuple[Gathering, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        assert command.name == name
        yield group, command
        if isinstance(command, Gathering):
            yield from gathered(command)


def test_the_line_of_a_command_is_the_first_paragraph_of_its_own_help() -> None:
    every = list(gathered(comptoir))

    assert len(every) > 30
    for group, command in every:
        own = inspect.cleandoc(command.help or "").partition("\n\n")[0]
        assert (command.name, group.line_of(str(command.name))) == (command.name, " ".join(own.split()))


@pytest.mark.parametrize("arguments", [("--help",), ("kiosk", "--help"), ("marketplace", "--help")], ids=" ".join)
def test_the_help_of_a_group_loads_no_part(arguments: tuple[str, ...]) -> None:
    assert parts_loaded_by(*arguments) <= {"pos"}


def test_a_command_loads_its_own_part_alone() -> None:
    assert parts_loaded_by("slip", "read", "--help") <= {"pos", "kiosk", "cryptography"}
    assert parts_loaded_by("kiosk", "status", "--help") <= {"pos", "sync", "shop", "kiosk", "flask", "cryptography", "templates"}


def parts_loaded_by(*arguments: str) -> set[str]:
    """Return our parts, and some of the heavy libraries, that a process of its own loaded."""
    script = (
        "import sys; from contextlib import suppress; from comptoir import comptoir\n"
        f"with suppress(SystemExit): comptoir.main({list(arguments)!r})\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    heavy = {"pos", "sync", "shop", "kiosk", "marketplace", "demo", "templates", "flask", "sqlalchemy", "granian", "cryptography"}
    return set(ended.stderr.split()) & heavy
