"""The directory of a kiosk, as every command of its is told it and opens it."""

from __future__ import annotations

from pathlib import Path

import click

from pos.db import DatabaseError, Store
from pos.errors import NotFound, RecordsDamaged
from pos.ops import open_ops

directory_option = click.option(
    "--dir", "directory", required=True, type=click.Path(path_type=Path, file_okay=False), help="The kiosk's directory."
)


def open_records(directory: Path) -> Store:
    """Return the records of an enrolled kiosk. Raises: NotFound, RecordsDamaged."""
    if not (directory / "ops.db").exists():
        raise NotFound(f"no kiosk in {directory}: run `comptoir kiosk enrol` first")
    try:
        return open_ops(directory / "ops.db")
    except DatabaseError as problem:
        raise RecordsDamaged(f"{directory / 'ops.db'}: {problem}; the file is left as it is") from problem
