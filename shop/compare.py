"""Comparing: up to four devices side by side, what differs first."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from pos import skus
from pos.skus import Sku
from shop import door, forms, web
from shop.skus import refuse_elsewhere
from shop.specs import LABELS, facts_of, label, spec_value

routes = Blueprint("compare", __name__)


@routes.get("/compare")
def compare() -> Response:
    """Show the devices named `sku` in the address side by side."""
    items = skus.compare(door.catalog(), request.args.getlist("sku"))
    for item in items:
        refuse_elsewhere(item)
    if len(items) < 2:
        return web.see_other(forms.with_query("/browse", s=request.args.get("s")))
    return web.page("shop/compare.html", items=items, rows=_rows(items))


def _rows(items: list[Sku]) -> list[dict[str, Any]]:
    """Return one row for each specification somebody knows; rows whose values differ come first."""
    facts = [facts_of(item) for item in items]
    keys = dict.fromkeys(key for item in items for key in item["category"].get("compare") or LABELS if key in LABELS)
    rows = []
    for key in keys:
        values = [spec_value(key, each[key]) if each.get(key) is not None else None for each in facts]
        if any(values):
            rows.append({"label": label(key), "values": values, "differs": len(set(values)) > 1})
    return sorted(rows, key=lambda row: not row["differs"])
