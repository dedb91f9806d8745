"""Who we are on our own invoices: the marketplace's company (Code de commerce L441-9, CGI annexe II art. 242 nonies A)."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Connection
from stdnum.exceptions import ValidationError
from stdnum.fr import siret as french_siret
from stdnum.fr import tva

from marketplace.money.fees import HOME_COUNTRY
from marketplace.papers.parties import Party
from marketplace.settings import setting, store_setting
from pos.errors import Invalid

SETTING = "identity"
MOST_LINE = 120


def our_identity(connection: Connection) -> Party | None:
    """Return our company, None before HQ gave it."""
    return cast(Party | None, setting(connection, SETTING))


def read_identity(*, name: str, address: str, siret: str, vat_number: str, register: str) -> Party:
    """Return a French company as it is stored; `address` has its lines, `register` is its legal form, capital and RCS number.

    Raises: Invalid where something is missing, or a number's check figures or its SIREN do not fit.
    """
    lines = [" ".join(line.split()) for line in address.splitlines()]
    texts = {"name": " ".join(name.split()), "address": "\n".join(filter(None, lines)), "register": " ".join(register.split())}
    for field in ("name", "address"):
        if not texts[field]:
            raise Invalid(f"the company's {field} is missing", field=field)
    if any(len(line) > MOST_LINE for text in texts.values() for line in text.split("\n")):
        raise Invalid(f"a line has at most {MOST_LINE} characters", field="name")
    try:
        number = french_siret.validate(siret)
    except ValidationError:
        raise Invalid("not a SIRET: its fourteen digits do not fit", field="siret") from None
    try:
        vat = f"{HOME_COUNTRY}{tva.validate(vat_number)}"
    except ValidationError:
        raise Invalid("not a French VAT number: FR and eleven characters that fit", field="vat_number") from None
    if vat[4:] != number[:9]:
        raise Invalid("the VAT number is another company's than the SIRET", field="vat_number")
    return {
        "name": texts["name"],
        "address": texts["address"],
        "siret": number,
        "vat_number": vat,
        "register_number": texts["register"],
        "country": HOME_COUNTRY,
        "email": "",
        "phone": "",
        "mandate_at": "",
    }


def store_identity(connection: Connection, company: Party) -> None:
    """Store our company in the caller's transaction; invoices made before keep the one they were made with."""
    store_setting(connection, SETTING, company)
