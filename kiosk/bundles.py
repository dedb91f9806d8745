"""`comptoir sync import`: the catalogue from a folder, under the same checks as from the network."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk.directories import directory_option, open_records
from pos import clock
from pos.corners import corner
from pos.db import Store
from sync.corner.folder import Folder
from sync.corner.mirrors import FOLDER
from sync.corner.trust import Trust
from sync.follower import Subscription, follow
from sync.locks import LOCK_FILE, hold


@click.command("import")
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, file_okay=False))
@directory_option
def import_command(bundle: Path, directory: Path) -> None:
    """Bring a kiosk to what a folder holds, when HQ signed it and it is newer."""
    ops = open_records(directory)
    catalog = Store(directory / "catalog.db", durable=False)
    with hold(directory / LOCK_FILE):
        trust = Trust(directory / FOLDER, ops, [Folder(bundle)], now=clock.now)
        moved = follow(catalog, trust, Subscription.of(corner(ops.read())), now=clock.now())
    if moved.has_moved:
        click.echo(f"publication {moved.publication} of {moved.published_at}: {moved.rows:,} rows")
    else:
        click.echo(f"nothing newer: publication {moved.before} is here already")
