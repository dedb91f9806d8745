"""The customers of the past: slips taken in corners, orders placed from them and from the shop, paid, or left."""

from __future__ import annotations

import json
import unicodedata
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from demo.bank import Bank
from demo.corners import Outbox, Slips
from demo.past.corners import MARKET, OFFERED, open_corners, send
from demo.past.day_reports import CornerDays
from demo.past.story import Story
from demo.past.units import Handling
from demo.sample_skus import SAMPLE
from marketplace.db import execute_on, reading, run_tx
from marketplace.feeds.content import DESK_SELLERS_FROM
from marketplace.installation import replica_path
from marketplace.money.payments import check_payment, open_payment
from marketplace.orders.orders import Order, order
from marketplace.orders.placing import claim_slip, order_selection
from marketplace.orders.pricing import OrderMarket, price_selection
from marketplace.orders.slips import Reading, read_slip
from pos import clock
from pos.acquisitions import ACQUISITIONS
from pos.db import Store
from pos.line_facts import Wish
from pos.selections import add_line, start_selection, wishes_of

FRANCE: OrderMarket = {"market": MARKET, "currency": "EUR", "tax_included": True}
OPENING_H, OPEN_H = 8, 11
"""When corners open, in UTC, and for how long."""
LATELY = 0.12
"""How many more visits than on other days were made in the last ones, of all."""
ORDERED, FROM_SHOP = 0.72, 0.2
"""Which share of slips becomes an order, and how many orders of the shop there are beside each slip."""
LEFT, REFUSED = 0.06, 0.05
"""Which share of payments is never made, and is first refused."""
DISPUTED, DISPUTED_EVERY = 5, 90
"""Which payment is disputed some days later, and every how many others."""
SUBSTITUTE = 0.4


@dataclass(slots=True, kw_only=True)
class Customers:
    """Those who come to corners and shop; what they paid for goes on with `handling`."""

    engine: Engine
    directory: Path
    public_url: str
    bank: Bank
    story: Story
    corners: list[Outbox]
    slips: Slips
    handling: Handling
    days: CornerDays
    paid: int = 0

    def plan_visits(self, number: int, *, since: datetime) -> None:
        """Plan so many slips over the days since then, and the orders of the shop beside them."""
        chance, days = self.story.chance, (self.story.until - since).days
        for _ in range(number):
            day = chance.randint(days - 2, days) if chance.random() < LATELY else chance.randint(0, days)
            hour = since.replace(hour=OPENING_H, minute=0, second=0) + timedelta(days=day)
            self.story.soon(hour, 0, OPEN_H, self._take_slip)
            if chance.random() < FROM_SHOP:
                self.story.soon(hour, 0, OPEN_H + 4, self._order_in_shop)

    def _take_slip(self, at: datetime) -> None:
        corner = self.story.chance.choice(open_corners(self.corners, self.story, at=at))
        kind = self.story.chance.randrange(len(self.slips.samples))
        digits = self.slips.issue(corner, kind=kind, now=at)
        self.days.note_newest(corner)
        send(self.engine, self.directory, corner, now=at)
        if self.story.chance.random() < ORDERED:
            self.story.soon(at, 0.05, 40, partial(self.claim, digits))

    def claim(self, digits: str, at: datetime) -> None:
        """Open a slip at home and order what it offers, if it still can be."""
        with reading(self.engine) as connection:
            slip = read_slip(connection, digits, now=at)
        if isinstance(slip, Reading) and slip.is_orderable:
            form, seen_cents = self._form(slip.offered), slip.totals.total_cents
            terms: dict[str, Any] = {"language": "fr", "replace": {}, "seen_cents": seen_cents, "now": at}
            order_id = claim_slip(self.engine, digits, form, **terms)
            self.story.soon(at, 0.02, 0.2, partial(self._pay, order_id))

    def _order_in_shop(self, at: datetime) -> None:
        with closing(Store(replica_path(self.directory, MARKET), durable=False)) as catalog:
            database = catalog.read()
            offered = database.execute(OFFERED, [DESK_SELLERS_FROM]).fetchall()
            wish = Wish(listing_id=self.story.chance.choice(offered)[0])

            def choose(connection: Any) -> str:
                execute = execute_on(connection)
                selection_id = start_selection(execute, now=at, market=MARKET)
                add_line(execute, database, selection_id, wish=wish, now=at)
                return selection_id

            selection_id = run_tx(self.engine, choose)
        with reading(self.engine) as connection:
            wishes = wishes_of(execute_on(connection), selection_id)
            pricing = price_selection(connection, FRANCE, wishes, now=at, zone=clock.HOME_ZONE)
        form, seen_cents = self._form(pricing.offered), pricing.totals.total_cents
        terms: dict[str, Any] = {"market": FRANCE, "zone": clock.HOME_ZONE, "language": "fr", "seen_cents": seen_cents, "now": at}
        order_id = order_selection(self.engine, selection_id, wishes, form, **terms)
        self.story.soon(at, 0.01, 0.1, partial(self._pay, order_id))

    def _form(self, offered: dict[int, Any]) -> dict[str, str]:
        """Return what somebody types who orders."""
        chance, names = self.story.chance, json.loads((SAMPLE / "past" / "customers.json").read_text("utf-8"))
        first, last = chance.choice(names["first"]), chance.choice(names["last"])
        address = f"{chance.randint(1, 90)} {chance.choice(names['streets'])}, {chance.choice(names['towns'])}"
        form = {"name": f"{first} {last}", "email": _email(first, last), "address": address}
        form |= {"substitute": "yes"} if chance.random() < SUBSTITUTE else {}
        return form | {f"acquisition_{line_no}": min(ways, key=ACQUISITIONS.index) for line_no, ways in offered.items()}

    def _pay(self, order_id: str, at: datetime) -> None:
        """Go to the bank's page and do what customers do there; an order of a plan alone has nothing to pay."""
        with reading(self.engine) as connection:
            placed = order(connection, order_id)
        if placed["state"] not in ("open", "unpaid"):
            return
        url = open_payment(self.engine, order_id, public_url=self.public_url, now=at).url
        session_id, chance = url.rsplit("/", 1)[1], self.story.chance.random()
        if chance < LEFT:
            return
        if chance < LEFT + REFUSED:
            self.bank.act("refuse", session_id)
        self.bank.act("pay", session_id)
        self._ask(placed, session_id, at)
        self.paid += 1
        if self.paid % DISPUTED_EVERY == DISPUTED:
            self.handling.disputed.add(placed["order_id"])
            self.story.soon(at, 100, 200, partial(self.dispute, placed, session_id))
        self.handling.plan(placed, at=at)

    def dispute(self, placed: Order, session_id: str, at: datetime) -> None:
        """Let the customer's bank claim a payment back."""
        self.bank.act("dispute", self.bank.books.get("checkout.session", session_id)["payment_intent"])
        self._ask(placed, session_id, at)

    def _ask(self, placed: Order, session_id: str, at: datetime) -> None:
        """Have the marketplace ask the bank what became of a payment."""
        payment_id = self.bank.books.get("checkout.session", session_id)["metadata"]["payment_id"]
        check_payment(self.engine, placed["customer_id"], payment_id, now=at)


def _email(first: str, last: str) -> str:
    """Return an address as people have them: without accents."""
    letters = unicodedata.normalize("NFKD", f"{first}.{last}").encode("ascii", "ignore").decode()
    return f"{letters.lower()}@example.org"
