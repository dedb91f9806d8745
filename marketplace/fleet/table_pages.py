"""`/console/corners/…/table`: a corner's demo devices, planned and actual, what is missing there, and its last rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint

from marketplace.db import reading
from marketplace.fleet import demo_tables
from marketplace.fleet.corners import corner_document
from marketplace.fleet.demo_tables import KnownDevice
from marketplace.web import marketplace
from shop.web import render_template

pages = Blueprint("tables", __name__, url_prefix="/corners/<corner_id>/table")


@dataclass(frozen=True, slots=True)
class DemoTablePage:
    """A corner's table: its devices, its rounds, and the names of its people by id."""

    corner_id: str
    name: str
    devices: list[KnownDevice]
    rounds: list[dict[str, Any]]
    people: dict[str, str]

    @property
    def missing(self) -> list[KnownDevice]:
        """The devices that nobody finds, those missed longest first."""
        gone = [device for device in self.devices if device.planned and device.told["state"] == "missing"]
        return sorted(gone, key=lambda device: device.told["since"] or "")


@pages.get("")
def table(corner_id: str) -> str:
    """Show a corner's table."""
    with reading(marketplace().engine) as connection:
        corner = corner_document(connection, corner_id, slip_prefix="")
        page = DemoTablePage(
            corner_id=corner_id,
            name=corner["name"],
            devices=demo_tables.devices(connection, corner_id),
            rounds=demo_tables.rounds(connection, corner_id),
            people={each["clerk_id"]: each["name"] for each in corner["clerks"]},
        )
    return render_template("marketplace/fleet/table.html", page=page)
