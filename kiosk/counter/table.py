"""The table of demo devices, as a clerk checks it."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from kiosk import files
from kiosk.counter.sessions import for_clerks
from pos import clock, corners, skus
from pos.errors import NotFound
from shop import web

routes = Blueprint("counter_table", __name__, url_prefix="/counter/table")


@routes.get("")
@for_clerks
def table() -> Response:
    """Show the demo devices and whether each was seen."""
    catalog = files.catalog()
    places = []
    for place in corners.demo_devices(files.ops(), files.corner()):
        try:
            places.append({**place, "item": skus.sku_by_id(catalog, place["sku_id"])})
        except NotFound:
            places.append({**place, "item": None})
    return web.page("kiosk/counter/table.html", places=places)


@routes.post("/<position>")
@for_clerks
def check_place(position: str) -> Response:
    """Note that a demo device is present or missing."""
    with files.ops_store().write() as ops:
        corners.check_demo_device(
            ops, files.corner(), position, state=request.form.get("state", ""), clerk_id=g.clerk["clerk_id"], now=clock.now()
        )
    return web.see_other(f"/counter/table#place-{position}")
