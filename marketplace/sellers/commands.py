"""`comptoir marketplace apikey`: a key of the API for a seller that has no desk yet."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click
from sqlalchemy import Connection

from marketplace.db import run_tx
from marketplace.installation import opened
from marketplace.keys import directory_option
from marketplace.sellers.keys import LONGEST, SCOPES, USUAL, make_key
from pos import clock


@click.command("apikey")
@directory_option
@click.option("--seller", "seller_id", required=True, type=click.IntRange(1), help="The seller's number.")
@click.option("--name", default="HQ", show_default=True, help="What the seller calls it.")
@click.option(
    "--scope", "scopes", multiple=True, default=SCOPES, type=click.Choice(SCOPES), help="What it is for; all by default."
)
@click.option("--days", default=USUAL.days, show_default=True, type=click.IntRange(1, LONGEST.days), help="How long it is valid.")
def apikey_command(directory: Path, seller_id: int, name: str, scopes: tuple[str, ...], days: int) -> None:
    """Make an API key for a seller; prints it, once."""

    def work(connection: Connection) -> str:
        return make_key(connection, seller_id, name=name, scopes=scopes, now=clock.now(), valid=timedelta(days=days))

    with opened(directory) as engine:
        click.echo(run_tx(engine, work))
