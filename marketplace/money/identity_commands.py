"""`comptoir marketplace identity`: who the marketplace is on its own invoices to sellers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from marketplace.db import reading, run_tx
from marketplace.installation import opened
from marketplace.keys import directory_option
from marketplace.money.identity import our_identity, read_identity, store_identity
from marketplace.papers.parties import Party

ADDRESS = "Its address; `\\n` or a comma and a space begin a new line."


@click.command("identity")
@directory_option
@click.option("--name", help="Our company's name with its legal form, as `Comptoir SAS`.")
@click.option("--address", help=ADDRESS)
@click.option("--siret", help="Fourteen digits, the SIREN first.")
@click.option("--vat-number", help="FR and eleven characters.")
@click.option("--register", default="", help="Capital and register, as `SAS au capital de 10 000 € · RCS Nantes 732 829 320`.")
def identity_command(
    directory: Path, name: str | None, address: str | None, siret: str | None, vat_number: str | None, register: str
) -> None:
    """Say who invoices sellers for our fees, or show who does; what waits for it is invoiced within the hour."""
    given = (name, address, siret, vat_number)
    if any(given) and not all(given):
        raise click.UsageError("--name, --address, --siret and --vat-number are given together")
    with opened(directory) as engine:
        if name and address and siret and vat_number:
            lines = address.replace("\\n", "\n").replace(", ", "\n")
            company = read_identity(name=name, address=lines, siret=siret, vat_number=vat_number, register=register)
            run_tx(engine, partial(store_identity, company=company))
        with reading(engine) as connection:
            click.echo(_in_words(our_identity(connection)))


def _in_words(company: Party | None) -> str:
    if company is None:
        return "identity: not set, so sellers get no invoice of our fees until it is"
    lines = company["address"].replace("\n", ", ")
    return f"identity: {company['name']}, {lines}, SIRET {company['siret']}, VAT number {company['vat_number']}"
