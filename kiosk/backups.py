"""`comptoir kiosk backup · restore`: copies of the corner's records, and one of them put in their place."""

from __future__ import annotations

import os
from pathlib import Path

import click

from kiosk.directories import directory_option, open_records
from pos import clock
from pos.backups import FOLDER, KEPT, RecordsCopy, back_up, copies_of, restore
from pos.errors import NotFound
from sync.locks import BACKUP_FILE, hold, hold_directory


@click.command("backup")
@directory_option
@click.option(
    "--also",
    type=click.Path(path_type=Path),
    help="A second disk's folder, for the same copies; left out while it cannot be written.",
)
def backup_command(directory: Path, *, also: Path | None) -> None:
    """Copy the records as of this hour and this day, each copy read through; the last 24 and seven stay."""
    path, now = open_records(directory).path, clock.now()
    folders = [directory / FOLDER]
    # Not whether something is mounted there: what a service may write is, in its own view of the machine.
    if also is not None and os.access(also, os.W_OK):
        folders.append(also)
    elif also is not None:
        click.echo(f"no disk at {also}")
    with hold(directory / BACKUP_FILE):
        for folder in folders:
            for period in KEPT:
                click.echo(f"kept {back_up(path, period=period, now=now, folder=folder)}")


@click.command("restore")
@directory_option
@click.argument("copy", required=False, type=click.Path(path_type=Path))
def restore_command(directory: Path, copy: Path | None) -> None:
    """Put a copy of the records in their place, or list the copies; what stood there is kept."""
    if copy is None:
        for each in copies_of(directory):
            click.echo(_sentence(each))
        return
    if not directory.is_dir():
        raise NotFound(f"no kiosk in {directory}")
    place = copy if copy.exists() else directory / FOLDER / copy.name
    with hold_directory(directory, doing="restoring its records"), hold(directory / BACKUP_FILE):
        restored = restore(directory, place, now=clock.now())
    click.echo(f"{place} is in place: {restored.slips:,} slips; what stood there is in {restored.kept}")
    if restored.must_enrol:
        click.echo(
            "the copy holds less than HQ or customers may have: enrol this kiosk again, under a new key it makes slips again"
        )


def _sentence(copy: RecordsCopy) -> str:
    if copy.slips is None:
        return f"{copy.path.name:<24} cannot be read"
    return f"{copy.path.name:<24} {copy.slips:,} slips, {copy.events:,} events"
