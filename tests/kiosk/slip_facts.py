"""Frozen facts of slips as the kiosk issues them: a phone in instalments with a plan, and a table full of things."""

from __future__ import annotations

import random
from typing import Any

from pos.credit import credit_notice
from pos.totals import Line, PlanTerms, device_price_cents, line_totals, selection_totals

SENTENCE = {
    "fr": "Un crédit vous engage et doit être remboursé. Vérifiez vos capacités de remboursement avant de vous engager.",
    "en": "A credit commits you and must be repaid. Check that you can repay it before you commit.",
}
GOOD = {"code": "GOOD", "name": {"fr": "Très bon état", "en": "Good"}, "battery_min_pct": 80}
PREMIUM = {"code": "PREMIUM", "name": {"fr": "Premium", "en": "Premium"}, "battery_min_pct": 85}
LOIRE = {"name": "Atelier Loire", "legal_name": "Atelier Loire SAS"}
PHENIX = {"name": "Phénix & Cœur", "legal_name": "Phénix et Cœur d’Appareils SARL"}


def slip_url(token_bytes: int = 136) -> str:
    """Return a slip's address with a token of this many bytes (one line: 100, three: 136, five: 178)."""
    token = bytes([1]) + random.Random(token_bytes).randbytes(token_bytes - 1)
    return f"https://marche.exemple.fr/k/{int.from_bytes(token, 'big')}"


def bundle_facts() -> dict[str, Any]:
    """Return a phone with a plan, its device in 24 instalments, and a repair subscription."""
    return _slip([_line(_phone(), plan=_plan(), options=[_repair()])])


def five_lines_facts() -> dict[str, Any]:
    """Return five lines: bundle, two headphones, a television, a SIM-only plan, a laptop with its VAT shown."""
    headphones = _listing(102, "Sony WH-1000XM4", 19900, color={"fr": "Noir", "en": "Black"}, seller=PHENIX)
    television = _listing(103, 'Samsung QE55Q80C 55"', 64900, shipping_cents=2990, category_id="tvs", battery_pct=None)
    laptop = _listing(104, "Apple MacBook Air 13 M1", 58900, storage_gb=1024, grade=PREMIUM, vat_note="regular", new_battery=True)
    laptop["co2"] = {"grams": 54000, "years": 2, "source": "ADEME 2022"}
    sim_only = _plan(plan_id=2, commitment_months=0, promo_monthly_cents=None, promo_months=0, monthly_cents=999)
    sim_only.update(name={"fr": "Libre 40 Go", "en": "Free 40 GB"}, data_gb=40, acquisition="port", exit_after_12_cents=0)
    return _slip(
        [
            _line(_phone(), plan=_plan(), options=[_repair()]),
            _line(headphones, quantity=2),
            _line(television),
            _line(None, plan=sim_only),
            _line(laptop),
        ]
    )


def _slip(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format": 1,
        "number": "4K-7T2Q-9",
        "market": "fr",
        "currency": "EUR",
        "language": "fr",
        "publication": 7,
        "issued_at": "2026-11-22T10:04:00Z",
        "valid_until": "2026-12-06T22:59:00Z",
        "corner": {
            "corner_id": "nantes-crebillon",
            "corner_no": 101,
            "name": "Nantes Crébillon",
            "city": "Nantes",
            "phone": "02 40 00 01 01",
            "time_zone": "Europe/Paris",
        },
        "partner": {"partner_id": "loire-mobile", "name": "Loire Mobile", "phone": "09 70 00 00 00"},
        "lines": lines,
        "totals": selection_totals([Line.from_slip(line) for line in lines]).to_facts(),
        "guarantees": {"legal_months": 24, "withdrawal_days": 14},
    }


def _line(
    listing: dict[str, Any] | None,
    *,
    plan: dict[str, Any] | None = None,
    options: list[dict[str, Any]] | None = None,
    quantity: int = 1,
) -> dict[str, Any]:
    line = {"listing": listing, "plan": plan, "options": options or [], "quantity": quantity}
    priced = Line.from_slip(line)
    credit = None
    if listing is not None and plan is not None:
        terms = PlanTerms.from_facts(plan["terms"])
        notice = credit_notice(
            device_price_cents(priced), terms.deposit_cents, terms.instalment_months, law_body={"sentence": SENTENCE}
        )
        credit = notice.to_facts() if notice else None
    return {**line, "totals": line_totals(priced).to_facts(), "credit": credit}


def _phone() -> dict[str, Any]:
    phone = _listing(101, "Apple iPhone 13", 36900, storage_gb=128, color={"fr": "Bleu", "en": "Blue"})
    phone["co2"] = {"grams": 49200, "years": 2, "source": "ADEME 2022"}
    phone["copy_levy_cents"] = 1008
    return phone


def _listing(listing_id: int, title: str, price_cents: int, **changes: Any) -> dict[str, Any]:
    listing = {
        "listing_id": listing_id,
        "sku_id": listing_id,
        "sku": f"SKU-{listing_id}",
        "title": title,
        "storage_gb": None,
        "color": {"fr": "Argent", "en": "Silver"},
        "category_id": "phones",
        "grade": GOOD,
        "seller": LOIRE,
        "price_cents": price_cents,
        "shipping_cents": 0,
        "delivery_days": 3,
        "warranty_months": 12,
        "vat_note": "margin",
        "copy_levy_cents": None,
        "battery_pct": 88,
        "new_battery": False,
        "co2": None,
        **changes,
    }
    listing["all_in_cents"] = listing["price_cents"] + listing["shipping_cents"]
    return listing


def _plan(*, plan_id: int = 1, **changes: Any) -> dict[str, Any]:
    terms: dict[str, Any] = {
        "monthly_cents": 2499,
        "promo_monthly_cents": 1499,
        "promo_months": 12,
        "commitment_months": 24,
        "activation_cents": 100,
        "exit_fee_cents": 500,
        "device_discount_cents": 20000,
        "min_device_cents": 25000,
        "refund_cents": 8000,
        "instalment_months": 24,
        "deposit_cents": 4900,
        **changes,
    }
    return {
        "plan_id": plan_id,
        "name": {"fr": "Série 100 Go", "en": "Série 100 GB"},
        "terms": PlanTerms.from_facts(terms).to_facts(),
        "data_gb": 100,
        "acquisition": "new",
        "summary": {"url": "https://example.invalid/resume/serie-100", "version": "2026-11", "sha256": "0" * 64},
        "exit_after_12_cents": 6497,
        "refund_deadline_days": 60,
    }


def _repair() -> dict[str, Any]:
    return {
        "option_id": 1,
        "kind": "repair",
        "name": {"fr": "Réparation illimitée", "en": "Unlimited repair"},
        "terms": {"one_off_cents": 0, "monthly_cents": 699, "commitment_months": 0},
    }
