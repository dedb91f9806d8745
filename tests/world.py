"""The small named world every test starts from: the Nantes corner, its clerk Camille, three sellers and a handful of devices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from sqlite_utils import Database

from kiosk.printing.installed import FIRST_NAME, install
from pos import catalog, ops, tokens
from pos.db import Store, connect, write
from pos.slips import Device, load_device

NOW = datetime(2026, 11, 22, 14, 32, tzinfo=UTC)
PIN = "246810"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SLIP_PREFIX = "http://marche.test/k/"

FAIR, GOOD, EXCELLENT, PREMIUM = 12, 11, 10, 9
ATELIER, BOUTIQUE, RECIF = 1, 2, 3
IPHONE_12, IPHONE_13, GALAXY_S22, PLAYSTATION_5, DYSON_V11 = 1, 2, 3, 4, 5
FORFAIT_5, SERIE_100, SERIE_100_12, ETALE_200 = 1, 2, 3, 4
REPAIR, CHARGER = 1, 2

GRADES = (
    (FAIR, 1, "FAIR", "État correct", "Fair", 80),
    (GOOD, 2, "GOOD", "Très bon état", "Good", 80),
    (EXCELLENT, 3, "EXCELLENT", "Parfait état", "Excellent", 80),
    (PREMIUM, 4, "PREMIUM", "Premium", "Premium", 85),
)
CATEGORIES = (
    ("phones", 1, "phone", "Téléphones", "Phones", "phone", {"grams_per_year": 24600, "years": 2, "source": "ADEME 2022"}),
    ("consoles", 2, "console", "Consoles", "Consoles", None, None),
    ("vacuums", 3, "vacuum", "Aspirateurs", "Vacuum cleaners", None, None),
)
SELLERS = ((ATELIER, "Atelier Loire", 9700), (BOUTIQUE, "Boutique du Port", 9200), (RECIF, "Récif Mobile", 8800))
SKUS = (
    (IPHONE_12, "IPHONE-12-128-BLUE", "phones", "Apple", "iPhone 12", 128, 2020, "Bleu", "Blue", "#1f3a5f", 2),
    (IPHONE_13, "IPHONE-13-128-BLUE", "phones", "Apple", "iPhone 13", 128, 2021, "Bleu", "Blue", "#38506b", 2),
    (GALAXY_S22, "GALAXY-S22-256-GREEN", "phones", "Samsung", "Galaxy S22", 256, 2022, "Vert", "Green", "#4d6b52", 3),
    (PLAYSTATION_5, "PLAYSTATION-5-825-WHITE", "consoles", "Sony", "PlayStation 5", 825, 2020, "Blanc", "White", "#f2f2f2", 0),
    (DYSON_V11, "DYSON-V11-PURPLE", "vacuums", "Dyson", "V11", None, 2019, "Violet", "Purple", "#6d5a7e", 0),
)
# listing, sku, grade, seller, price, shipping, delivery, warranty, VAT on the margin, battery, quantity
LISTINGS = (
    (101, IPHONE_13, GOOD, ATELIER, 36400, 500, 3, 24, 1, 86, 4),
    (102, IPHONE_13, GOOD, BOUTIQUE, 37000, 500, 2, 12, 1, 88, 2),
    (103, IPHONE_13, GOOD, RECIF, 38300, 0, 4, 12, 0, 83, 1),
    (104, IPHONE_13, FAIR, BOUTIQUE, 32400, 500, 3, 12, 1, 82, 3),
    (105, IPHONE_13, EXCELLENT, ATELIER, 40400, 500, 3, 24, 1, 90, 2),
    (106, IPHONE_13, PREMIUM, ATELIER, 45900, 0, 3, 24, 0, 96, 1),
    (107, IPHONE_12, GOOD, RECIF, 25900, 0, 4, 12, 1, 84, 5),
    (108, GALAXY_S22, EXCELLENT, BOUTIQUE, 31400, 500, 2, 12, 1, 87, 2),
    (109, PLAYSTATION_5, GOOD, ATELIER, 34900, 1000, 4, 12, 1, None, 3),
    (110, DYSON_V11, FAIR, RECIF, 19900, 900, 5, 12, 0, None, 1),
)
PLANS: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (FORFAIT_5, "Série 5 Go", {"data_gb": 5, "monthly_cents": 999, "exit_fee_cents": 500}),
    (
        SERIE_100,
        "Série 100 Go",
        {
            "data_gb": 100,
            "monthly_cents": 2499,
            "commitment_months": 24,
            "device_discount_cents": 20000,
            "min_device_cents": 25000,
        },
    ),
    (
        SERIE_100_12,
        "Série 100 Go, 12 mois",
        {
            "data_gb": 100,
            "monthly_cents": 2799,
            "commitment_months": 12,
            "device_discount_cents": 10000,
            "min_device_cents": 25000,
        },
    ),
    (
        ETALE_200,
        "Série 200 Go étalée",
        {
            "data_gb": 200,
            "monthly_cents": 2999,
            "promo_monthly_cents": 1999,
            "promo_months": 12,
            "commitment_months": 24,
            "refund_cents": 8000,
            "refund_deadline_days": 60,
            "instalment_months": 36,
            "deposit_cents": 4900,
            "min_device_cents": 25000,
            "max_devices": 2,
        },
    ),
)
PLAN_DEFAULTS = {
    "promo_monthly_cents": None,
    "promo_months": 0,
    "commitment_months": 0,
    "activation_cents": 100,
    "exit_fee_cents": 0,
    "device_discount_cents": 0,
    "min_device_cents": 0,
    "refund_cents": 0,
    "refund_deadline_days": 0,
    "instalment_months": 0,
    "deposit_cents": 0,
    "acquisitions": ["new", "port", "renewal"],
    "max_devices": 1,
    "data_eu_gb": 20,
    "network": "5G",
    "speed_after": None,
    "tax_note": None,
    "fictitious": True,
    "market": "fr",
    "partner_id": "loire-mobile",
    "summary": {"url": "https://loire-mobile.invalid/resume", "version": "2026-11", "sha256": "0" * 64},
}
OPTIONS = (
    (REPAIR, "repair", "Réparations illimitées", "Unlimited repairs", 0, 699, ["phones", "consoles"]),
    (CHARGER, "accessory", "Chargeur 20 W", "20 W charger", 1500, 0, ["phones"]),
)
LAWS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "fr-conformity",
        "legal_guarantee",
        {"months": 24, "presumed_months": 12, "repair_adds_months": 6, "renewed_by_replacement": True, "model_text": "D211-2"},
    ),
    ("fr-withdrawal", "withdrawal", {"days": 14, "marketplace_days": 30}),
    ("fr-exit", "early_exit", {"rate_bp": 2000, "from_month": 12}),
    ("fr-levy", "copy_levy", {"vat_bp": 2000, "bands": {"phone": [[64, 720], [None, 840]], "tablet": [[64, 780], [None, 910]]}}),
    (
        "fr-credit",
        "credit_notice",
        {"sentence": {"fr": "Un crédit vous engage et doit être remboursé.", "en": "A loan commits you and must be repaid."}},
    ),
    ("fr-words", "forbidden_words", {"words": ["comme neuf", "like new"]}),
    ("fr-lengths", "plan_lengths", {"most_months": 24, "sibling_months": 12}),
    ("fr-porting", "porting", {"asks": "rio"}),
    ("fr-vat", "vat", {"standard_bp": 2000, "margin_words": "Régime particulier – Biens d’occasion"}),
)
PARTNER = {"partner_id": "loire-mobile", "kind": "carrier", "market": "fr", "name": "Loire Mobile", "phone": "02 40 00 00 00"}


@cache
def pin_hash() -> str:
    """Return a quick hash of `PIN`: tests do not pay for the strength of the real one."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PIN)


def corner_document() -> dict[str, Any]:
    """Return the Nantes corner as HQ sends it."""
    return {
        "corner_id": "nantes-crebillon",
        "corner_no": 101,
        "name": "Nantes Crébillon",
        "city": "Nantes",
        "market": "fr",
        "currency": "EUR",
        "tax_included": True,
        "languages": ["fr", "en"],
        "time_zone": "Europe/Paris",
        "phone": "02 40 11 22 33",
        "paper_mm": 80,
        "slip_prefix": SLIP_PREFIX,
        "partner_id": PARTNER["partner_id"],
        "partner": PARTNER,
        "planogram": [
            {"position": "A1", "sku_id": IPHONE_13},
            {"position": "A2", "sku_id": GALAXY_S22},
            {"position": "B1", "sku_id": PLAYSTATION_5},
        ],
        "clerks": [
            {"clerk_id": "camille", "name": "Camille", "role": "manager", "pin_hash": pin_hash()},
            {"clerk_id": "idriss", "name": "Idriss", "pin_hash": pin_hash()},
        ],
    }


@dataclass
class Kiosk:
    """A kiosk's directory, its two stores and its identity."""

    directory: Path
    catalog: Store
    ops: Store
    device: Device

    @contextmanager
    def ops_write(self) -> Iterator[Database]:
        """Lend the writer of ops.db."""
        with self.ops.write() as database:
            yield database

    def set_printer(self, port: int, name: str = FIRST_NAME) -> None:
        """Set up a network printer on this machine."""
        with self.ops_write() as ops:
            install(ops, name, f"127.0.0.1:{port}")


def make_catalog(path: Path) -> None:
    """Write the world's catalogue as it stands after publication 7."""
    database = connect(path, durable=False)
    with write(database):
        for statement in (catalog.SCHEMA + catalog.INDEXES).split(";\n"):
            if statement.strip():
                database.execute(statement)
        for name, value in {
            "publication": "7",
            "published_at": "2026-11-22T13:30:00Z",
            "currency": "EUR",
            "market": "fr",
        }.items():
            database.execute("insert into catalog_fact (name, value) values (?, ?)", [name, value])
        for table, row in rows():
            marks = ", ".join("?" * len(row))
            database.execute(f"insert into {table} values ({marks})", list(row))
        catalog.refresh(database, None, now=NOW)
    database.close()


def rows() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield every published row of the world as (table, values in the order of its columns)."""
    for law_id, kind, body in LAWS:
        yield "law", (law_id, kind, "2022-01-01", None, _text(body))
    yield "partner", (PARTNER["partner_id"], _text(PARTNER))
    for grade_id, rank, code, fr, en, floor in GRADES:
        look = {"fr": f"Aspect {fr}", "en": f"{en} look"}
        body = {"code": code, "name": {"fr": fr, "en": en}, "battery_min_pct": floor, "screen": look, "body": look, "parts": look}
        yield "grade", (grade_id, rank, _text(body))
    for category_id, rank, form, fr, en, levy, co2 in CATEGORIES:
        yield (
            "category",
            (category_id, rank, _text({"form": form, "name": {"fr": fr, "en": en}, "levy": levy, "co2": co2, "compare": []})),
        )
    for seller_id, name, quality in SELLERS:
        yield (
            "seller",
            (seller_id, quality, 0, _text({"name": name, "legal_name": f"{name} SAS", "city": "Nantes", "country": "FR"})),
        )
    for sku_id, sku, category_id, brand, model, storage, year, fr, en, hex_code, lenses in SKUS:
        color = {"code": en.upper(), "hex": hex_code, "name": {"fr": fr, "en": en}}
        specs = {"screen_tenths_in": 61, "network": "5G", "lenses": lenses} if category_id == "phones" else {}
        body = {
            "color": color,
            "specs": specs,
            "updates_until": 2028 if storage else None,
            "new_price": None,
            "words": "",
            "weight_g": 170,
        }
        yield "sku", (sku_id, sku, category_id, brand, model, storage, year, _text(body))
    for plan_id, name, terms in PLANS:
        body = {**PLAN_DEFAULTS, **terms, "plan_id": plan_id, "rank": plan_id, "name": {"fr": name, "en": name}}
        yield "plan", (plan_id, body["partner_id"], plan_id, _text(body))
    for option_id, kind, fr, en, one_off, monthly, categories in OPTIONS:
        body = {
            "kind": kind,
            "name": {"fr": fr, "en": en},
            "detail": {"fr": fr, "en": en},
            "one_off_cents": one_off,
            "monthly_cents": monthly,
            "commitment_months": 0,
            "needs_plan": False,
            "needs_device": True,
            "categories": categories,
            "market": "fr",
        }
        yield "option", (option_id, option_id, _text(body))
    for listing_id, sku_id, grade_id, seller_id, price, shipping, days, months, margin, battery, quantity in LISTINGS:
        yield "listing", (listing_id, sku_id, grade_id, seller_id, price, shipping, days, months, margin, battery, 0, None)
        yield "stock", (listing_id, quantity)


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """Collect what this thread's pages ask of the kiosk's catalogue, but for whether it changed."""
    asked: list[str] = []
    connection = app.extensions["comptoir"].catalog.read().conn
    connection.set_trace_callback(lambda text: asked.append(text) if not text.startswith("pragma data_version") else None)
    yield asked
    connection.set_trace_callback(None)


def make_kiosk(directory: Path) -> Kiosk:
    """Make an enrolled kiosk with the world's catalogue in an existing directory."""
    for name, content in _kiosk_files().items():
        path = directory / name
        path.touch(mode=0o600)
        path.write_bytes(content)
    catalog_store, store = Store(directory / "catalog.db", durable=False), Store(directory / "ops.db", durable=True)
    return Kiosk(directory=directory, catalog=catalog_store, ops=store, device=load_device(directory))


@cache
def _kiosk_files() -> dict[str, bytes]:
    """Return what each file of the kiosk's directory holds: made once, since hundreds of tests ask for one of their own."""
    settings = {
        "corner": corner_document(),
        "corner_sha256": "0" * 64,
        "marketplace_url": "http://marche.test",
        "key_id": tokens.key_id(KEY.public_key().public_bytes_raw()).hex(),
        "stream": "a" * 32,
        "acked": 0,
        "hq_time": "2026-11-22T14:30:00Z",
    }
    with TemporaryDirectory() as place:
        made = {name: Path(place) / name for name in ("catalog.db", "ops.db")}
        make_catalog(made["catalog.db"])
        store = ops.open_ops(made["ops.db"])
        with store.write() as database:
            for name, value in settings.items():
                ops.store_setting(database, name, value)
        store.close()
        return {"device.key": KEY.private_bytes_raw(), **{name: path.read_bytes() for name, path in made.items()}}


def _text(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
