"""The sellers of the past: they applied, HQ decided, they chose passwords, made API keys and offered what they have."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypedDict

from sqlalchemy import Connection, Engine

from demo.past.story import Act, Story
from demo.sample import shop_price
from demo.sample_skus import Row, read_rows
from marketplace.db import run_tx
from marketplace.installation import replica_path
from marketplace.running.jobs import HQ
from marketplace.sellers import applications
from marketplace.sellers.companies import MANDATE, read_company
from marketplace.sellers.documents import Document, write_documents
from marketplace.sellers.keys import SCOPES, make_key
from marketplace.sellers.people import choose_password, invite, people, start_link
from marketplace.sellers.standing import Reasons, move_seller
from marketplace.sellers.verdicts import SentRow, take_rows
from pos import clock
from pos.currencies import decimal
from pos.db import Store

MARKET = "fr"
LEAST_LISTINGS, MOST_LISTINGS = 24, 36
PASSWORD_BYTES = 9
ADMITTED = Reasons(
    facts="Les pièces sont complètes ; le numéro SIRET et celui de TVA concordent avec l’extrait K bis.",
    rule="Conditions d’admission, § 1",
    remedy="La période d’essai dure 30 jours ; vous pouvez écrire à tout moment à HQ.",
)
REFUSED = Reasons(
    facts="L’extrait K bis envoyé est celui d’une autre société.",
    rule="Conditions d’admission, § 2 : pièces au nom du demandeur",
    remedy="Envoyez un extrait à votre nom avec une nouvelle demande.",
)
ACTIVE = Reasons(
    facts="Toutes les commandes de l’essai ont été expédiées à temps.",
    rule="Conditions de vente, § 4 : fin de l’essai",
    remedy="Aucune démarche n’est nécessaire.",
)
WARNED = Reasons(
    facts="Trois commandes de la semaine n’ont pas été acceptées dans les 24 heures.",
    rule="Conditions de vente, § 6 : délai d’acceptation",
    remedy="Acceptez ou annulez chaque commande dans les 24 heures ; l’avertissement est levé après 14 jours sans retard.",
)
SUSPENDED = Reasons(
    facts="Depuis l’avertissement, d’autres commandes sont restées sans réponse et des clients ont été remboursés.",
    rule="Conditions de vente, § 7 : manquements répétés",
    remedy="Répondez à HQ avec un plan de traitement des commandes ; vos offres reviennent dès qu’il est accepté.",
)
REASONS = {"active": ACTIVE, "warned": WARNED, "suspended": SUSPENDED}
PATHS: Mapping[str, tuple[tuple[float, str], ...]] = {
    "active": ((9.0, "active"),),
    "warned": ((8.0, "active"), (18.0, "warned")),
    "suspended": ((10.0, "warned"), (19.0, "suspended")),
}
"""Where HQ led a seller after it was let in, and after how many days, by where it stands in the end."""


class SellerAccess(TypedDict):
    """How somebody gets into a seller's desk, and a program into its API, as `demo.json` has it."""

    seller_id: int
    name: str
    email: str
    password: str
    api_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSeller:
    """A seller of the past; `person` is the id of its owner, `is_slow` one that lets orders wait."""

    seller_id: int
    person: str
    is_slow: bool
    deals_in: frozenset[str]
    access: SellerAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferToBeat:
    """The offer of an SKU and grade in the published catalogue; cents with delivery."""

    sku: str
    category_id: str
    grade: str
    cents: int


def let_in(engine: Engine, directory: Path, story: Story, *, now: datetime) -> list[DeskSeller]:
    """Let companies apply and HQ decide; return those with a desk. What becomes of them later is planned in the story."""
    let = [_apply(engine, directory, story, row, now=now) for row in read_rows("past/companies")]
    return [seller for seller in let if seller is not None]


def offer_listings(engine: Engine, directory: Path, sellers: list[DeskSeller], story: Story, *, now: datetime) -> None:
    """Let each seller send its list of listings: for every SKU and grade at most one of them, below whoever offers it now."""
    offers = _offers(directory)
    story.chance.shuffle(offers)
    for seller in sellers:
        own = [offer for offer in offers if offer.category_id in seller.deals_in][
            : story.chance.randint(LEAST_LISTINGS, MOST_LISTINGS)
        ]
        offers = [offer for offer in offers if offer not in own]
        sent = [SentRow(line, _fields(seller, line, offer, story)) for line, offer in enumerate(own, start=2)]

        def work(connection: Connection, seller_id: int = seller.seller_id, sent: list[SentRow] = sent) -> None:
            take_rows(connection, seller_id, sent, market=MARKET, now=now)

        run_tx(engine, work)


def _apply(engine: Engine, directory: Path, story: Story, row: Row, *, now: datetime) -> DeskSeller | None:
    form = {**row["company"], "certified": "yes", "mandate": MANDATE}
    company, email = read_company(form, now=now)
    extract = Document(name="extrait-kbis.pdf", kind="application/pdf", content=_page(f"EXTRAIT K BIS - {company['siret']}"))
    files = write_documents(directory, [extract])

    def apply(connection: Connection) -> int:
        return applications.receive(connection, company, [extract], files, email=email, language="fr", now=clock.now())

    if row["becomes"] == "applied":
        story.soon(story.until, -30, -4, lambda _: _done(engine, apply))
        return None
    seller_id = run_tx(engine, apply)
    if row["becomes"] == "refused":
        run_tx(engine, lambda connection: applications.refuse(connection, seller_id, REFUSED, by=HQ, now=now))
        return None
    run_tx(engine, lambda connection: applications.admit(connection, seller_id, ADMITTED, by=HQ, now=now))
    for days, state in PATHS[row["becomes"]]:
        story.soon(now, 24 * days, 24 * days + 8, _decision(engine, seller_id, state))
    person, access = _open_desk(engine, seller_id, row, now=now)
    return DeskSeller(
        seller_id=seller_id,
        person=person,
        is_slow=row["becomes"] != "active",
        deals_in=frozenset(row["deals_in"]),
        access=access,
    )


def _done(engine: Engine, work: Callable[[Connection], object]) -> None:
    run_tx(engine, work)


def _decision(engine: Engine, seller_id: int, state: str) -> Act:
    return lambda at: _done(engine, lambda connection: move_seller(connection, seller_id, state, REASONS[state], by=HQ, now=at))


def _open_desk(engine: Engine, seller_id: int, row: Row, *, now: datetime) -> tuple[str, SellerAccess]:
    """Have a seller's owner choose a password, ask its colleagues in and make a key; return the owner's id and its ways in."""
    password, email = secrets.token_urlsafe(PASSWORD_BYTES), row["company"]["email"]

    def begin(connection: Connection) -> tuple[str, str]:
        [owner] = [person["user_id"] for person in people(connection, seller_id) if person["email"] == email]
        return owner, start_link(connection, seller_id, owner, now=now)

    def go_on(connection: Connection) -> str:
        for role, colleague in zip(("shipping", "reader"), row["people"], strict=False):
            invite(connection, seller_id, colleague, role, now=now)
        return make_key(connection, seller_id, name="ERP", scopes=SCOPES, now=now)

    owner, link = run_tx(engine, begin)
    choose_password(engine, seller_id, link, password, now=now)
    name = row["company"]["trading_name"]
    key = run_tx(engine, go_on)
    return owner, {"seller_id": seller_id, "name": name, "email": email, "password": password, "api_key": key}


def _offers(directory: Path) -> list[OfferToBeat]:
    query = """
        select sku.sku, sku.category_id, grade.body ->> 'code', offer.all_in_cents
        from offer join sku using (sku_id) join grade using (grade_id) order by sku.sku_id, grade.grade_id
    """
    with closing(Store(replica_path(directory, MARKET), durable=False)) as catalogue:
        found = catalogue.read().execute(query).fetchall()
    return [OfferToBeat(sku=sku, category_id=category, grade=grade, cents=cents) for sku, category, grade, cents in found]


def _fields(seller: DeskSeller, line: int, offer: OfferToBeat, story: Story) -> dict[str, str]:
    """Return a row as a seller's program would send it."""
    cents = shop_price(offer.cents * story.chance.randint(900, 960) // 1000, 100)
    return {
        "sku": f"{seller.access['name'][:2].upper()}-{line:04}",
        "product": offer.sku,
        "grade": offer.grade,
        "price": decimal(cents, "EUR"),
        "quantity": str(story.chance.randint(4, 30)),
        "warranty_delay": str(story.chance.choice((12, 24, 24))),
        "shipping_price": "0.00",
        "shipping_delay": str(story.chance.randint(1, 3)),
        "vat_type": story.chance.choice(("MARGINAL", "MARGINAL", "REGULAR")),
    }


def _page(words: str) -> bytes:
    """Return a PDF of one page with a line of words."""
    drawn = f"BT /F1 14 Tf 72 760 Td ({words}) Tj ET"
    bodies = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    text, places = "%PDF-1.4\n", []
    for number, body in enumerate(bodies, start=1):
        places.append(len(text))
        text += f"{number} 0 obj\n{body}\nendobj\n"
    entries = "".join(f"{place:010} 00000 n \n" for place in places)
    table = f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{entries}"
    return f"{text}{table}trailer\n<< /Size {len(bodies) + 1} /Root 1 0 R >>\nstartxref\n{len(text)}\n%%EOF\n".encode("latin-1")
