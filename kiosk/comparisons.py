"""A comparison that is to stand on the slip: kept with the selection where the customer asks for it, and never by itself."""

from __future__ import annotations

from flask import Blueprint, Response, request

from kiosk import files
from pos import clock, comparisons, selections, skus
from pos.errors import Invalid
from shop import forms, web

routes = Blueprint("comparisons", __name__)

KEPT_ADDRESS = ("grade", "plan", "acquisition")


@routes.post("/comparisons")
def keep() -> Response:
    """Let the slip say what its device was compared with; a selection begins where there is none. Raises: Invalid, NotFound."""
    codes = [item["sku"] for item in skus.compare(files.catalog(), request.form.getlist("sku"))]
    if len(codes) < 2:
        raise Invalid("one device is no comparison", field="sku")
    with files.ops_store().write() as ops:
        selection_id = request.form.get("s", "")[:32]
        if not ops.execute("select 1 from selection where selection_id = ?", [selection_id]).fetchone():
            selection_id = selections.start_selection(ops.execute, now=clock.now())
        comparisons.keep_comparison(ops, selection_id, codes)
    return web.see_other(_address(codes, selection_id))


@routes.post("/comparisons/removal")
def remove() -> Response:
    """Let the slip say nothing of a comparison after all."""
    selection_id = request.form.get("s", "")[:32]
    with files.ops_store().write() as ops:
        comparisons.drop_comparison(ops, selection_id)
    return web.see_other(_address(request.form.getlist("sku")[: skus.MAX_COMPARED], selection_id))


def kept_of(selection_id: str) -> tuple[str, ...]:
    """Return the codes of the devices that the slip of a selection is to tell of."""
    return comparisons.kept_comparison(files.ops(), selection_id) if selection_id else ()


def _address(codes: list[str], selection_id: str) -> str:
    told = {name: request.form.getlist(name) for name in KEPT_ADDRESS}
    return forms.with_query("/compare", sku=codes, **told, s=selection_id)
