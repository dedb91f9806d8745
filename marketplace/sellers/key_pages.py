"""`/seller/keys`: an owner makes API keys for the seller's programs, each shown once, and ends them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from marketplace.db import reading, run_tx
from marketplace.sellers.guard import desk_role, signed_in_seller
from marketplace.sellers.keys import LONGEST, SCOPES, USUAL, ApiKey, keys_of, make_key, revoke_key
from marketplace.web import marketplace, see_other
from pos import clock
from pos.errors import Invalid
from shop.web import render_template

keys = Blueprint("keys", __name__)
UNTOUCHED = MultiDict([("name", ""), ("days", str(USUAL.days)), *(("scope", name) for name in SCOPES)])
"""What the form holds before anything is typed: a key for everything, for as long as is usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPage:
    """A seller's keys; `shown` is one made just now, which is not shown again; `field` is the one at fault of `form`."""

    keys: list[ApiKey]
    shown: str | None
    field: str | None
    form: MultiDict[str, str]
    most_days: int = LONGEST.days
    scopes: tuple[str, ...] = SCOPES


@keys.get("/keys")
@desk_role("owner")
def listing() -> str:
    """Show the seller's keys."""
    return _listing(None, None)


@keys.post("/keys")
@desk_role("owner")
def making() -> str | tuple[str, int]:
    """Make a key and show it, once."""
    seller_id, form, now = signed_in_seller().seller_id, request.form, clock.now()
    digits = form.get("days", str(USUAL.days))
    try:
        if not digits.isascii() or not digits.isdigit() or len(digits) > 4:
            raise Invalid("a number of days", field="days")
        name, scopes, valid = form.get("name", ""), form.getlist("scope"), timedelta(days=int(digits))
        made = run_tx(
            marketplace().engine,
            lambda connection: make_key(connection, seller_id, name=name, scopes=scopes, now=now, valid=valid),
        )
    except Invalid as problem:
        return _listing(None, str(problem.data.get("field")), form), problem.status
    return _listing(made, None)


@keys.post("/keys/<key_id>/revocation")
@desk_role("owner")
def revocation(key_id: str) -> Response:
    """End a key for good."""
    seller_id, now = signed_in_seller().seller_id, clock.now()
    run_tx(marketplace().engine, lambda connection: revoke_key(connection, seller_id, key_id, now=now))
    return see_other("desk.keys.listing")


def _listing(shown: str | None, field: str | None, form: MultiDict[str, str] = UNTOUCHED) -> str:
    with reading(marketplace().engine) as connection:
        known = keys_of(connection, signed_in_seller().seller_id)
    return render_template("marketplace/sellers/keys.html", page=KeysPage(keys=known, shown=shown, field=field, form=form))
