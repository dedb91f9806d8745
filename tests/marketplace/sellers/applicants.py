"""Companies that apply, and HQ's decisions about them, as tests need them."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image
from werkzeug.test import TestResponse

from marketplace.sellers.companies import MANDATE
from tests.marketplace.hq import Hq

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
COMPANY = {
    "legal_name": "Renouveau SAS",
    "trading_name": "Renouveau",
    "country": "FR",
    "siret": "732 829 320 00074",
    "vat_number": "FR 44 732829320",
    "register_number": "RCS Nantes 732 829 320",
    "iban": "FR14 2004 1010 0505 0001 3M02 606",
    "contact": "Nora Petit",
    "email": "nora@renouveau.example",
    "phone": "+33 2 61 91 01 01",
    "address": "3 quai de la Fosse\n44000 Nantes",
    "city": "Nantes",
    "certified": "yes",
    "mandate": MANDATE,
}
REASONS = {"facts": "Extrait Kbis lu, SIRET vérifié.", "rule": "Conditions, article 3.", "remedy": "Contester sous 30 jours."}


def png() -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (4, 4)).save(kept, "PNG")
    return kept.getvalue()


def apply(hq: Hq, *documents: tuple[str, bytes], **changes: str) -> TestResponse:
    files = [(io.BytesIO(content), name) for name, content in documents]
    return hq.client.post("/sell", data={**COMPANY, **changes, "documents": files}, content_type="multipart/form-data")


def log_in(hq: Hq) -> None:
    assert hq.client.post("/console/login", data={"password": hq.password}).status_code == 303


def decide(hq: Hq, seller_id: int, state: str, **changes: str) -> TestResponse:
    return hq.client.post(f"/console/sellers/{seller_id}/decision", data={"state": state, **REASONS, **changes})


def admitted(hq: Hq, **changes: str) -> int:
    """Let a company in and return its seller's number; the browser is logged in to the console afterwards."""
    assert apply(hq, **changes).status_code == 303
    [waiting] = hq.rows("select seller_id from seller_application where state = 'applied'")
    log_in(hq)
    assert decide(hq, waiting["seller_id"], "trial").status_code == 303
    return int(waiting["seller_id"])


def listing_of(hq: Hq, seller_id: int, listing_id: int = 9001, **columns: Any) -> None:
    """Put a listing of a seller on sale behind its back: the iPhone 13 in grade Good."""
    values = {
        "seller_id": seller_id, "listing_id": listing_id, "market": "fr", "sku_id": 1, "grade_id": 11, "price_cents": 35900,
        "shipping_cents": 0, "delivery_days": 3, "warranty_months": 24, "vat_margin": 1, "battery_pct": 90, "new_battery": 0,
        "prior_cents": None, "comment": "", "state": "online", "quantity": 4, "reserved": 0, **columns,
    }  # fmt: skip
    names = ", ".join(values)
    hq.write(f"insert into listing ({names}) values ({', '.join(f':{name}' for name in values)})", **values)
