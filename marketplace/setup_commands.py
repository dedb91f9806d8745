"""`comptoir marketplace init · upgrade`: a new marketplace, and one of an earlier version brought to this one."""

from __future__ import annotations

from pathlib import Path

import click

from marketplace.installation import keys_path
from marketplace.keys import directory_option, root_keys_option, threshold_option
from marketplace.setup import create_installation, upgrade_installation
from sync.addresses import WebAddress
from sync.hq.keys import ROOT


@click.command("init")
@directory_option
@click.option("--database", metavar="URL", help="A PostgreSQL URL; by default a SQLite file in the directory.")
@click.option(
    "--public-url",
    default="http://127.0.0.1:8000",
    show_default=True,
    type=WebAddress(),
    help="The address customers' phones open.",
)
@root_keys_option
@threshold_option
def init_command(directory: Path, database: str | None, public_url: str, root_keys: int, threshold: int) -> None:
    """Set a marketplace up; prints the console's password, once."""
    password = create_installation(directory, database=database, public_url=public_url, root_keys=root_keys, threshold=threshold)
    click.echo(f"marketplace ready in {directory}")
    click.echo(f"root keys in {keys_path(directory) / ROOT}: move them to a safe place")
    click.echo(f"console password (shown once): {password}")


@click.command("upgrade")
@directory_option
def upgrade_command(directory: Path) -> None:
    """Bring the database to this program's version; nobody may serve meanwhile."""
    version = upgrade_installation(directory, say=click.echo)
    click.echo(f"the database is at version {version}")
