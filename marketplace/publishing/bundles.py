"""`comptoir sync export`: the catalogue for corners that no network reaches."""

from __future__ import annotations

from pathlib import Path

import click

from marketplace.installation import opened, sync_path
from marketplace.keys import directory_option
from marketplace.publishing.publications import markets
from sync.heads import RINGS
from sync.hq.bundles import write_bundle


@click.command("export")
@directory_option
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="A folder, on a memory stick say.")
@click.option("--market", help="One market only; all by default.")
@click.option("--ring", type=click.Choice(RINGS), help="One ring only; all by default.")
def export_command(directory: Path, out: Path, market: str | None, ring: str | None) -> None:
    """Write what a kiosk needs to a folder, signatures included."""
    with opened(directory) as engine:
        chosen = [market] if market else markets(engine)
    files, size = write_bundle(sync_path(directory), out, markets=chosen, rings=[ring] if ring else RINGS)
    click.echo(f"{files} files, {size:,} bytes in {out}")
