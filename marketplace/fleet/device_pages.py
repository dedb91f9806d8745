"""`/console/devices`: the corners' devices: which wait, with their fingerprint, which are enrolled, and their withdrawal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from marketplace.db import reading
from marketplace.fleet import enrolments, revocations
from marketplace.web import marketplace, see_other
from pos import clock
from pos.errors import Invalid
from shop.web import render_template

pages = Blueprint("devices", __name__, url_prefix="/devices")


@dataclass(frozen=True, slots=True)
class DevicesPage:
    """The devices that wait to be confirmed, and all that were."""

    waiting: list[dict[str, Any]]
    devices: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RevocationPage:
    """A device that may be withdrawn; `highest` is the highest slip counter HQ knows of it."""

    device: dict[str, Any]
    highest: int


@pages.get("/")
def listing() -> str:
    """Show what waits to be confirmed, then every device and how it stands."""
    now = clock.now()
    with reading(marketplace().engine) as connection:
        page = DevicesPage(enrolments.requests(connection, now=now), revocations.devices(connection, now=now))
    return render_template("marketplace/fleet/devices.html", page=page)


@pages.post("/<key_id>/confirmation")
def confirmation(key_id: str) -> Response:
    """Make a waiting device its corner's."""
    enrolments.confirm_device(marketplace().engine, key_id, now=clock.now())
    return see_other("console.devices.listing")


@pages.post("/<key_id>/refusal")
def refusal(key_id: str) -> Response:
    """Refuse a waiting device."""
    enrolments.refuse_device(marketplace().engine, key_id, now=clock.now())
    return see_other("console.devices.listing")


@pages.get("/<key_id>/revocation")
def revocation_form(key_id: str) -> str:
    """Ask from which slip on a device is withdrawn, and say what that means."""
    with reading(marketplace().engine) as connection:
        device = revocations.device(connection, key_id)
        highest = revocations.highest_counter(connection, device["corner_id"], key_id)
    return render_template("marketplace/fleet/revocation.html", page=RevocationPage(device, highest))


@pages.post("/<key_id>/revocation")
def revocation(key_id: str) -> Response:
    """Withdraw a device from a slip on."""
    text = request.form.get("from_counter", "").strip()
    if text and not (text.isascii() and text.isdigit() and len(text) < 13):
        raise Invalid("a slip's counter is a whole number from 1", field="from_counter")
    revocations.revoke_device(marketplace().engine, key_id, from_counter=int(text) if text else None, now=clock.now())
    return see_other("console.devices.listing")
