"""A line of a slip as pages show it and an order keeps it: plain JSON, frozen at the moment of ordering."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketplace.orders.repricing import Comparison, Priced, all_in_cents
from pos.credit import credit_notice
from pos.months import spans
from pos.plans import EXIT_MONTH, exit_cents
from pos.skus import title
from pos.totals import device_price_cents


def line_facts(line: Comparison, laws: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a line as JSON: names, then, now, what the customer gets; `laws` are the bodies in force by kind."""
    shown = line.shown
    return {
        "line_no": line.line_no,
        "quantity": line.wish.quantity,
        "basis": line.basis,
        "then": _amounts(line.then),
        "now": _amounts(line.now),
        "totals": line.chosen.totals.to_facts() if line.chosen else None,
        "printed": {"one_off_cents": line.wish.one_off_cents, "monthly_cents": line.wish.monthly_cents},
        "differs_from_print": line.differs_from_print,
        "listing": _listing_facts(shown.listing) if shown and shown.listing else None,
        "plan": _named(shown.plan, "plan_id", "data_gb", "commitment_months") if shown and shown.plan else None,
        "options": [_named(option, "option_id", "one_off_cents", "monthly_cents") for option in shown.options] if shown else [],
        "instead": _instead(line.instead),
        "credit": _credit(line.chosen, laws),
        "exit_after_12_cents": _exit_cents(line.chosen, laws),
    }


def _amounts(priced: Priced | None) -> dict[str, Any] | None:
    if priced is None:
        return None
    return {
        "device_cents": all_in_cents(priced.listing) if priced.listing else None,
        "totals": priced.totals.to_facts(),
        "months": spans((priced.line,)),
    }


def _instead(priced: Priced | None) -> dict[str, Any] | None:
    if priced is None or priced.listing is None:
        return None
    return {"listing": _listing_facts(priced.listing), "totals": priced.totals.to_facts(), "months": spans((priced.line,))}


def _listing_facts(listing: dict[str, Any]) -> dict[str, Any]:
    sku = listing["sku"]
    return {
        "listing_id": listing["listing_id"],
        "seller_id": listing["seller_id"],
        "title": title(sku) if sku else f"SKU {listing['sku_id']}",
        "storage_gb": sku.get("storage_gb"),
        "color": (sku.get("color") or {}).get("name"),
        "grade": listing["grade"].get("name"),
        "seller": {name: listing["seller"].get(name) for name in ("name", "legal_name")},
        "all_in_cents": all_in_cents(listing),
        "delivery_days": listing["delivery_days"],
        "warranty_months": listing["warranty_months"],
        "vat_note": listing["vat_note"],
        "battery_pct": listing["battery_pct"],
        "new_battery": bool(listing["new_battery"]),
    }


def _named(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {"name": body["name"], **{name: body.get(name) for name in names}}


def _credit(priced: Priced | None, laws: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the notice any instalment needs (L312-6), by unit."""
    law = laws.get("credit_notice")
    if priced is None or law is None or priced.line.plan is None or priced.line.device_cents is None:
        return None
    plan = priced.line.plan
    notice = credit_notice(device_price_cents(priced.line), plan.deposit_cents, plan.instalment_months, law_body=law)
    return notice.to_facts() if notice else None


def _exit_cents(priced: Priced | None, laws: Mapping[str, dict[str, Any]]) -> int | None:
    """Return what leaving after a year costs all the line's units, where the plan commits for longer (L224-28)."""
    if priced is None or priced.line.plan is None or priced.line.plan.commitment_months <= EXIT_MONTH:
        return None
    law = laws.get("early_exit")
    one = exit_cents(priced.line.plan, device_cents=priced.line.device_cents, law=law, after_month=EXIT_MONTH)
    return one * priced.line.quantity
