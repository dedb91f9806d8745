"""`comptoir marketplace carriers`: give the marketplace what a carrier gave HQ, to order its plans."""

from __future__ import annotations

import re
from pathlib import Path

import click

from marketplace.db import reading, row, run_tx
from marketplace.installation import opened
from marketplace.keys import directory_option
from marketplace.orders.carriers import CarrierSettings, plan_partners, read_carrier, store_carrier
from pos.errors import Invalid, NotFound
from pos.files import read_file
from sync.addresses import WebAddress

KEY = re.compile(r"[A-Za-z0-9_.~+/=-]{16,512}", re.ASCII)
MOST_BYTES = 1000


@click.command("carriers")
@directory_option
@click.option("--partner", help="The carrier, as the feed names it.")
@click.option("--api", type=WebAddress(), help="The address of its TMF622 API.")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file with the key we and they show each other.",
)
def carriers_command(directory: Path, partner: str | None, api: str | None, key_file: Path | None) -> None:
    """Set a carrier up to order its plans, or say which are."""
    with opened(directory) as engine:
        if partner is not None and api is not None and key_file is not None:
            key = read_file(key_file, most_bytes=MOST_BYTES).decode("ascii", errors="replace").strip()
            if not KEY.fullmatch(key):
                raise Invalid(f"{key_file} does not hold a key of 16 to 512 signs")
            with reading(engine) as connection:
                known = row(connection, "select 1 as one from partner where partner_id = :partner_id", partner_id=partner)
            if known is None:
                raise NotFound(f"no feed named the carrier {partner}")
            given = CarrierSettings(api=api.rstrip("/"), key=key)
            run_tx(engine, lambda connection: store_carrier(connection, partner, given))
        elif partner is not None or api is not None or key_file is not None:
            raise click.UsageError("--partner, --api and --key-file are given together")
        with reading(engine) as connection:
            stored = {partner_id: read_carrier(connection, partner_id) for partner_id in plan_partners(engine)}
    for partner_id, settings in stored.items():
        click.echo(f"{partner_id}: {settings['api'] if settings else 'not set up, so its plans wait'}")
