"""What a company says of itself when it asks to sell: each field checked by its own rule, all that is wrong told at once.

Invariant: an application that was read is complete, in the one form it is stored in; nothing of it was looked up elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypedDict

from stdnum import iban
from stdnum.ch import vat as swiss_vat
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError as WrongNumber
from stdnum.fr import siret
from stdnum.gb import vat as british_vat

from marketplace.running.mail import is_mailable
from pos import clock
from pos.errors import Refused

MANDATE = "2026-11"
"""The version of the self-billing mandate's text (CGI annexe II, 242 nonies): `templates/marketplace/sellers/mandate.html`."""
COUNTRIES = {
    "FR": "France", "AT": "Österreich", "BE": "België · Belgique", "BG": "България", "CH": "Schweiz · Suisse", "CY": "Κύπρος",
    "CZ": "Česko", "DE": "Deutschland", "DK": "Danmark", "EE": "Eesti", "ES": "España", "FI": "Suomi", "GB": "United Kingdom",
    "GR": "Ελλάδα", "HR": "Hrvatska", "HU": "Magyarország", "IE": "Ireland", "IT": "Italia", "LT": "Lietuva",
    "LU": "Luxembourg", "LV": "Latvija", "MT": "Malta", "NL": "Nederland", "PL": "Polska", "PT": "Portugal", "RO": "România",
    "SE": "Sverige", "SI": "Slovenija", "SK": "Slovensko",
}  # fmt: skip
"""Where a seller may be established, each named as it names itself: their IBANs and VAT numbers can be checked."""
PHONE = re.compile(r"\+?[0-9][0-9 .()-]{7,22}[0-9]")
UNWRITABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd\ud800-\udfff]")
LONGEST = {"address": 500, "email": 254}
LONGEST_FIELD = 120
GREECE_IN_VAT = "EL"


class Company(TypedDict):
    """A company as it was written down. `certified_at` and `mandate_at` are when it gave its word, `mandate` to which text."""

    legal_name: str
    trading_name: str
    country: str
    siret: str
    vat_number: str
    register_number: str
    iban: str
    contact: str
    phone: str
    address: str
    city: str
    certified_at: str
    mandate: str
    mandate_at: str


class ApplicationIncomplete(Refused):
    """Some fields cannot be taken; `data["fields"]` has a code by field. Nothing was kept."""


def read_company(form: Mapping[str, str], *, now: datetime) -> tuple[Company, str]:
    """Return what a form says of a company, and its e-mail address. Raises: ApplicationIncomplete.

    Source: DSA (regulation 2022/2065) art. 30 for what a trader must give and certify.
    """
    values: dict[str, str] = {}
    fields: dict[str, str] = {}
    for name, read in FIELDS.items():
        try:
            values[name] = read(_plain(form.get(name, ""), LONGEST.get(name, LONGEST_FIELD)), values)
        except ValueError as problem:
            fields[name] = str(problem)
    fields |= {name: "missing" for name in ("certified", "mandate") if form.get(name) != ACCEPTED[name]}
    if fields:
        raise ApplicationIncomplete("some fields cannot be taken", fields=fields)
    at = clock.to_text(now)
    email = values.pop("email")
    company: Company = {**values, "certified_at": at, "mandate": MANDATE, "mandate_at": at}  # type: ignore[typeddict-item]  # FIELDS names the rest
    return company, email


def company_key(company: Company) -> str:
    """Return what tells one company from another: in France the SIREN within its SIRET, elsewhere the VAT number."""
    return f"FR{company['siret'][:9]}" if company["country"] == "FR" else company["vat_number"]


def _plain(text: str, most: int) -> str:
    plain = "\n".join(" ".join(line.split()) for line in text.replace("\r\n", "\n").strip().split("\n"))
    if UNWRITABLE.search(plain):
        raise ValueError("unwritable")
    if len(plain) > most:
        raise ValueError("long")
    return plain


def _said(text: str, _: Mapping[str, str]) -> str:
    if not text:
        raise ValueError("missing")
    return text


def _line(text: str, values: Mapping[str, str]) -> str:
    return " ".join(_said(text, values).split())


def _country(text: str, _: Mapping[str, str]) -> str:
    if text not in COUNTRIES:
        raise ValueError("unknown")
    return text


def _siret(text: str, values: Mapping[str, str]) -> str:
    """Read the establishment's number, which France alone gives."""
    if values.get("country") != "FR":
        return ""
    return _number(siret.validate, _said(text, values))


def _vat_number(text: str, values: Mapping[str, str]) -> str:
    """Read a VAT number with its country's prefix; a small French company may have none (CGI 293 B)."""
    country = values.get("country", "")
    if country == "FR" and not text:
        return ""
    bare = _said(text, values)
    if country == "GB":
        return f"GB{_number(british_vat.validate, bare)}"
    if country == "CH":
        return _number(swiss_vat.validate, bare)
    number = _number(eu_vat.validate, bare)
    if number[:2] != (GREECE_IN_VAT if country == "GR" else country):
        raise ValueError("other_country")
    if country == "FR" and "siret" in values and number[4:] != values["siret"][:9]:
        raise ValueError("other_company")
    return number


def _iban(text: str, values: Mapping[str, str]) -> str:
    return _number(iban.validate, _said(text, values))


def _number(validate: Callable[[str], str], text: str) -> str:
    try:
        return validate(text)
    except WrongNumber:
        raise ValueError("wrong") from None


def _email(text: str, values: Mapping[str, str]) -> str:
    if not is_mailable(_said(text, values)):
        raise ValueError("wrong")
    return text


def _phone(text: str, values: Mapping[str, str]) -> str:
    if not PHONE.fullmatch(_said(text, values)):
        raise ValueError("wrong")
    return text


FIELDS: dict[str, Callable[[str, Mapping[str, str]], str]] = {
    "legal_name": _line,
    "trading_name": _line,
    "country": _country,
    "siret": _siret,
    "vat_number": _vat_number,
    "register_number": _line,
    "iban": _iban,
    "contact": _line,
    "email": _email,
    "phone": _phone,
    "address": _said,
    "city": _line,
}
"""Each field's reader; a reader sees the fields before its own."""
ACCEPTED = {"certified": "yes", "mandate": MANDATE}
"""What the two boxes send when they are ticked: the mandate's text may have changed since the page was opened."""
