"""Whom an order is delivered to: read from a form, and shown so that only its owner recognises it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from marketplace.running.mail import is_mailable
from pos.errors import Refused

POSTCODE = {"fr": re.compile(r"(?<!\d)\d{2}\s?\d{3}(?!\d)"), "us": re.compile(r"(?<!\d)\d{5}(?:[\s-]?\d{4})?(?!\d)")}
UNWRITABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffd\ud800-\udfff]")
"""What nobody types: a parcel label, and PostgreSQL, could not carry it, or it would turn the reading direction."""
MOST_NAME, MOST_EMAIL, MOST_ADDRESS = 120, 254, 500


class InvalidContact(Refused):
    """Something in the form is missing or cannot be; `data["fields"]` maps each field to a code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom to deliver to. Kept with the order only."""

    name: str
    email: str
    address: str


def read_contact(form: Mapping[str, str], market: str) -> Contact:
    """Read name, e-mail and delivery address from a form. Raises: InvalidContact."""
    values = {name: _writable(form.get(name, "")) for name in ("name", "email", "address")}
    values["email"] = read_email(form)
    fields = {}
    if not 2 <= len(values["name"]) <= MOST_NAME or not any(letter.isalpha() for letter in values["name"]):
        fields["name"] = "missing"
    if len(values["email"]) > MOST_EMAIL or not is_mailable(values["email"]):
        fields["email"] = "malformed" if values["email"] else "missing"
    postcode = POSTCODE.get(market)
    if not 8 <= len(values["address"]) <= MOST_ADDRESS or not any(letter.isalnum() for letter in values["address"]):
        fields["address"] = "missing"
    elif postcode is not None and not postcode.search(values["address"]):
        fields["address"] = "no_postcode"
    if fields:
        raise InvalidContact("the form is not complete", fields=fields)
    return Contact(**values)


def read_email(form: Mapping[str, str]) -> str:
    """Return the e-mail address of a form as it is meant: no spaces, no brackets, no full-width signs; it may be none at all."""
    return "".join(unicodedata.normalize("NFKC", _writable(form.get("email", ""))).split()).strip("<>.,;")


def folded_email(email: str) -> str:
    """Return what two spellings of one address share; domains and, in practice, mailboxes know no capitals."""
    return email.lower()


def _writable(text: str) -> str:
    """Return what a person typed without what nobody types; a tab is a space."""
    return UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\t", " ")).strip()


def masked_name(name: str) -> str:
    """Return the initials only."""
    return " ".join(f"{part[0]}." for part in name.split())
