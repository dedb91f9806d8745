"""The directory of a kiosk, as every command of its is told it and opens it."""

from __future__ import annotations

from pathlib import Path

import click

from pos.db import Store
from pos.errors import NotFound
from pos.ops import open_kept_ops

directory_option = click.option(
    "--dir", "directory", required=True, type=click.Path(path_type=Path, file_okay=False), help="The kiosk's directory."
)


def open_records(directory: Path) -> Store:
    """Return the records of an enrolled kiosk. Raises: NotFound, RecordsMissing and the other states of `pos.file_states`."""
    if not any((directory / name).exists() for name in ("ops.db", "device.key")):
        raise NotFound(f"no kiosk in {directory}: run `comptoir kiosk enrol` first")
    return open_kept_ops(directory)
