"""Whom an order is delivered to: read from a form, and shown so that only its owner recognises it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from marketplace.running.mail import is_mailable
from pos.errors import Refused

SIGNS = {"9": r"\d", "A": "[A-Z]", " ": r"\s?", "-": r"[\s-]?"}
"""What may stand for each sign of a market's `post_codes`: a digit, a letter, a space or hyphen that may be left out."""
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


def read_contact(form: Mapping[str, str], post_codes: Sequence[str]) -> Contact:
    """Read name, e-mail and delivery address, with one of these post codes, from a form. Raises: InvalidContact."""
    values = {name: _writable(form.get(name, "")) for name in ("name", "email", "address")}
    values["email"] = read_email(form)
    fields = {}
    if not 2 <= len(values["name"]) <= MOST_NAME or not any(letter.isalpha() for letter in values["name"]):
        fields["name"] = "missing"
    if len(values["email"]) > MOST_EMAIL or not is_mailable(values["email"]):
        fields["email"] = "malformed" if values["email"] else "missing"
    if not 8 <= len(values["address"]) <= MOST_ADDRESS or not any(letter.isalnum() for letter in values["address"]):
        fields["address"] = "missing"
    elif post_codes and not any(_has_post_code(values["address"], each) for each in post_codes):
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


def _has_post_code(address: str, post_code: str) -> bool:
    pattern = "".join(SIGNS[sign] for sign in post_code)
    before, after = (r"\d" if sign == "9" else r"\w" for sign in (post_code[0], post_code[-1]))
    return re.search(rf"(?<!{before}){pattern}(?!{after})", address, re.IGNORECASE) is not None


def _writable(text: str) -> str:
    """Return what a person typed without what nobody types; a tab is a space."""
    return UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\t", " ")).strip()


def masked_name(name: str) -> str:
    """Return the initials only."""
    return " ".join(f"{part[0]}." for part in name.split())
