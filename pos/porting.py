"""Keeping one's number: what the operator that a number leaves asks for, by the market's law (`porting`).

Checked in memory; what a carrier needs is kept until it answered, and stands in no error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pos.errors import InvalidAccount
from pos.laws import Laws, PortingKind
from pos.rio import check_rio, normalize_rio

ACCOUNT = re.compile(r"[A-Z0-9]{4,20}", re.ASCII)
PIN = re.compile(r"[0-9]{4,10}", re.ASCII)


def porting_kind(laws: Laws) -> PortingKind:
    """Return what is asked in a market: where its rows do not say, the number alone."""
    law = laws.get("porting")
    return law["asks"] if law else "number"


def read_key(kind: PortingKind, form: Mapping[str, str], phone: str) -> str | None:
    """Return what the operator asks for as it was typed, in one text: a RIO, or an account number, a space and a PIN.

    None where the number alone is enough. Raises: InvalidRio; InvalidAccount with `reason` "account" or "pin".
    """
    if kind == "rio":
        key = normalize_rio(form.get("rio", ""))
        check_rio(key, phone)
        return key
    if kind == "number":
        return None
    account, pin = (re.sub(r"[\s.\-]", "", form.get(name, "")).upper() for name in ("account", "pin"))
    if not ACCOUNT.fullmatch(account):
        raise InvalidAccount(reason="account")
    if not PIN.fullmatch(pin):
        raise InvalidAccount(reason="pin")
    return f"{account} {pin}"


def told_key(key: str | None) -> dict[str, str]:
    """Return a key of `read_key` as carriers are told it, by name."""
    first, _, pin = (key or "").partition(" ")
    if pin:
        return {"accountNumber": first, "transferPin": pin}
    return {"rio": first} if first else {}
