"""A small named world as a feed: Nantes corner, two sellers, an iPhone in two grades, a plan with a device discount."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

HEADER = (
    "listing_id;seller_id;sku_id;market;grade;price;currency;quantity;shipping_price;delivery_days;warranty_months;vat_type;"
    "battery_pct;new_battery;comment;prior_price;state"
)
PIN_HASH = "$argon2id$v=19$m=19456,t=2,p=1$xtmyPUjIhcDm+M3lnHeY8A$8+9/4symsYYndEyN3wf/i41DPjP0TDzKQyo7hEPkXGc"


FRANCE = {
    "currency": "EUR",
    "languages": ["fr", "en"],
    "tax_included": True,
    "post_codes": ["99 999"],
    "address_example": "5 quai de la Fosse\n44000 Nantes",
}
MARKETS = {"fr": FRANCE}
TWO_MARKETS = MARKETS | {"us": {"currency": "USD", "languages": ["en"], "tax_included": False}}


def both(fr: str, en: str) -> dict[str, str]:
    return {"fr": fr, "en": en}


def grade(grade_id: int, code: str, rank: int, floor: int, fr: str, en: str) -> dict[str, Any]:
    texts = both("Sans défaut visible.", "No visible flaw.")
    return {
        "grade_id": grade_id, "code": code, "rank": rank, "battery_min_pct": floor, "name": both(fr, en),
        "screen": texts, "body": texts, "parts": texts,
    }  # fmt: skip


def sku(sku_id: int, code: str, model: str, ean: str) -> dict[str, Any]:
    return {
        "sku_id": sku_id, "sku": code, "category_id": "phones", "brand": "Apple", "model": model, "storage_gb": 128,
        "color": {"code": "BLUE", "hex": "#38506b", "name": both("bleu", "blue")}, "year": 2021, "ean": ean, "weight_g": 173,
        "specs": {"screen_tenths_in": 61, "network": "5G"}, "updates_until": 2028, "new_price": None, "words": "",
    }  # fmt: skip


def seller(seller_id: int, name: str, cancel_bp: int, status: str = "active") -> dict[str, Any]:
    return {
        "seller_id": seller_id, "name": name, "legal_name": f"{name} SAS", "city": "Nantes", "country": "FR", "status": status,
        "metrics": {"cancel_bp": cancel_bp, "defect_bp": 100, "late_bp": 100, "reply_h": 5},
    }  # fmt: skip


def plan(plan_id: int, name: str, **terms: Any) -> dict[str, Any]:
    return {
        "plan_id": plan_id, "market": "fr", "partner_id": "loire-mobile", "rank": plan_id, "fictitious": True,
        "name": both(name, name), "data_gb": 100, "data_eu_gb": 30, "network": "5G", "speed_after": None,
        "monthly_cents": 2499, "promo_monthly_cents": 1499, "promo_months": 12, "commitment_months": 24,
        "activation_cents": 100, "exit_fee_cents": 500, "device_discount_cents": 20000, "min_device_cents": 25000,
        "refund_cents": 0, "refund_deadline_days": 60, "instalment_months": 0, "deposit_cents": 0,
        "acquisitions": ["new", "port", "renewal"], "max_devices": 2, "tax_note": None,
        "summary": {"url": "https://example.invalid/1.pdf", "version": "2026-11", "sha256": "0" * 64},
    } | terms  # fmt: skip


LIBRE = {
    "commitment_months": 0, "device_discount_cents": 0, "min_device_cents": 0, "promo_monthly_cents": None, "promo_months": 0,
    "monthly_cents": 999,
}  # fmt: skip


def corner(corner_id: str, corner_no: int, name: str) -> dict[str, Any]:
    return {
        "corner_id": corner_id, "corner_no": corner_no, "name": name, "city": "Nantes", "market": "fr",
        "partner_id": "loire-mobile", "time_zone": "Europe/Paris", "phone": "02 61 91 01 01", "languages": ["fr", "en"],
        "paper_mm": 80, "ring": "stable", "planogram": [{"position": "A1", "sku_id": 1}],
        "clerks": [{"clerk_id": "camille", "name": "Camille", "pin_hash": PIN_HASH}],
    }  # fmt: skip


def law(law_id: str, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "law_id": law_id, "market": "fr", "kind": kind, "valid_from": "2022-01-01", "valid_to": None, "source": "test",
        "body": body,
    }  # fmt: skip


WORLD: dict[str, list[dict[str, Any]]] = {
    "grades": [
        grade(9, "PREMIUM", 4, 85, "Premium", "Premium"),
        grade(10, "EXCELLENT", 3, 80, "Parfait état", "Excellent"),
        grade(11, "GOOD", 2, 80, "Très bon état", "Good"),
        grade(12, "FAIR", 1, 80, "État correct", "Fair"),
    ],
    "categories": [
        {"category_id": "phones", "rank": 1, "form": "phone", "name": both("Téléphones", "Phones"), "levy": "phone",
         "co2": {"grams_per_year": 24600, "years": 2, "source": "ADEME 2022"}, "compare": ["storage_gb"]},
    ],
    "skus": [
        sku(1, "IPHONE-13-128-BLUE", "iPhone 13", "4006381333931"),
        sku(2, "IPHONE-12-128-BLUE", "iPhone 12", "5901234123457"),
    ],
    "sellers": [seller(1, "Atelier Loire", 80), seller(2, "Phare Ouest", 200)],
    "partners": [
        {"partner_id": "loire-mobile", "kind": "carrier", "market": "fr", "name": "Loire Mobile", "phone": "02 61 91 00 00",
         "color": "#0f5c43"},
    ],
    "plans": [plan(1, "Libre 20 Go", **LIBRE), plan(2, "Série 100 Go")],
    "options": [
        {"option_id": 1, "market": "fr", "rank": 1, "kind": "repair", "name": both("Réparation illimitée", "Unlimited repair"),
         "detail": both("Toutes les réparations.", "Every repair."), "one_off_cents": 0, "monthly_cents": 699,
         "commitment_months": 0, "needs_plan": False, "needs_device": True, "categories": ["phones"]},
    ],
    "laws": [
        law("fr-conformity", "legal_guarantee", {"months": 24, "presumed_months": 12, "repair_adds_months": 6,
            "renewed_by_replacement": True, "model_text": "D211-2"}),
        law("fr-withdrawal", "withdrawal", {"days": 14, "marketplace_days": 30}),
        law("fr-early-exit", "early_exit", {"rate_bp": 2000, "from_month": 12}),
        law("fr-words", "forbidden_words", {"words": ["comme neuf", "à neuf", "like new"]}),
        law("fr-levy", "copy_levy", {"vat_bp": 2000, "bands": {"phone": [[64, 720], [None, 840]], "tablet": []}}),
        law("fr-porting", "porting", {"asks": "rio"}),
        law("fr-vat", "vat", {"standard_bp": 2000, "margin_words": "Régime particulier – Biens d’occasion",
            "margin_source": "article 297 E du code général des impôts",
            "small_source": "article 293 B du code général des impôts"}),
        law("fr-lengths", "plan_lengths", {"most_months": 24, "sibling_months": 12}) | {"source": "L224-28"},
        law("fr-credit", "credit_notice", {"sentence": both("Un crédit vous engage.", "A loan commits you.")}),
    ],
    "corners": [corner("nantes-crebillon", 101, "Nantes Crébillon"), corner("paris-beaubourg", 102, "Paris Beaubourg")],
}  # fmt: skip

LISTINGS: dict[int, dict[str, str]] = {
    11: {"seller_id": "1", "sku_id": "1", "grade": "GOOD", "price": "369.00"},
    12: {"seller_id": "2", "sku_id": "1", "grade": "GOOD", "price": "372.00"},
    13: {"seller_id": "1", "sku_id": "1", "grade": "EXCELLENT", "price": "409.00"},
    21: {"seller_id": "2", "sku_id": "2", "grade": "GOOD", "price": "249.00", "quantity": "1"},
}
USUAL = {
    "market": "fr", "currency": "EUR", "quantity": "5", "shipping_price": "0.00", "delivery_days": "3", "warranty_months": "24",
    "vat_type": "MARGINAL", "battery_pct": "90", "new_battery": "0", "comment": "", "prior_price": "", "state": "online",
}  # fmt: skip


def world() -> dict[str, list[dict[str, Any]]]:
    """A copy to change at will."""
    return copy.deepcopy(WORLD)


def listings(**changes: dict[str, str] | None) -> dict[int, dict[str, str]]:
    """The listings, with fields of some of them changed (`l11={"price": "349.00"}`) or some left out (`l11=None`)."""
    every = copy.deepcopy(LISTINGS)
    for name, change in changes.items():
        listing_id = int(name[1:])
        if change is None:
            del every[listing_id]
        else:
            every.setdefault(listing_id, {}).update(change)
    return every


def write_feed(
    directory: Path,
    rows: dict[str, list[dict[str, Any]]] | None = None,
    supply: dict[int, dict[str, str]] | None = None,
    *,
    markets: dict[str, dict[str, Any]] = MARKETS,
) -> Path:
    """Write a feed of these rows and listings into `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    header = {
        "format": "comptoir-feed/1",
        "name": "Test world",
        "note": "",
        "markets": markets,
    }
    (directory / "feed.json").write_text(json.dumps(header), encoding="utf-8")
    for name, every in (rows or WORLD).items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in every)
        (directory / f"{name}.jsonl").write_text(text, encoding="utf-8")
    lines = [HEADER]
    for listing_id, fields in (LISTINGS if supply is None else supply).items():
        values = {"listing_id": str(listing_id)} | USUAL | fields
        lines.append(";".join(values[column] for column in HEADER.split(";")))
    (directory / "listings.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return directory
