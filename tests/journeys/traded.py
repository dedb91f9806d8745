"""The screens behind a trade: a marketplace where one happened, and every page that its customers, sellers and HQ have of it.

What sellers and HQ work on is taken from the routes themselves, so that none is forgotten.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page
from stdnum import luhn
from werkzeug.routing import Rule

from marketplace.db import reading, run_tx
from marketplace.money.payouts import plan_payouts
from marketplace.money.provider import ProviderSettings, store_settings
from marketplace.orders.sign_ins import make_link, owner_of
from marketplace.orders.substitutions import give_up
from marketplace.orders.units import Actor, accept, units_of_order
from marketplace.privacy.erasures import erase_person
from marketplace.sellers.people import invite
from pos import clock
from pos.tokens import TokenLine
from tests.journeys.screens import Screen, Way, post
from tests.journeys.trade import serving_app
from tests.marketplace.events.test_dead_letters import poison
from tests.marketplace.events.test_inbox import slip_body
from tests.marketplace.fleet.test_days import told
from tests.marketplace.hq import CONTACT, IPHONE_13, IPHONE_13_WITH_PLAN, Hq
from tests.marketplace.orders.carriers import acknowledge_plans
from tests.marketplace.orders.test_activations import PLAN_ALONE
from tests.marketplace.orders.test_claims import SAID
from tests.marketplace.orders.test_returns import delivered
from tests.marketplace.sellers.applicants import PDF, apply
from tests.marketplace.sellers.desks import PASSWORD, names_of, paid_part
from tests.marketplace.sellers.selling import Seller
from tests.marketplace.sellers.test_imports import line, table

LONG_AGO = timedelta(days=45)
"""How long before the rest the first device was sold: it was paid out since."""
STRANGER = "sam@example.org"
OWNER = "owner-1@vendeur.example"
FILE = re.compile(r"\.\w+$")
NO_SCREENS = {
    "/browse/results": "a part of the list",
    "/browse/more": "a part of the list",
    "/sku/<code>/bundle": "a part of a device's page",
    "/slips/<number>/paper": "a part of a slip's page",
    "/counter/calls/bell": "a part of every page of the counter",
    "/calls": "leads back to the page it was asked on",
    "/scans": "leads to what was scanned",
    "/payments/<payment_id>/return": "leads to the order",
    "/media/<sha256>": "a picture",
    "/static/<version>/<path:name>": "a file",
    "/healthz": "for programs",
    "/readyz": "for programs",
    "/metrics": "for programs",
    "/console/people/<customer_id>/<number>/export": "a file",
    "/console/payouts/files/<file_id>": "a file",
    "/console/sellers/<int:seller_id>/documents/<int:document_no>": "a file that a company sent",
}
"""What can be read and is no page by itself, and why; names with an ending are files."""


@dataclass
class Traded:
    """A marketplace of a trade, at an address; `orders` are its orders' ids by what became of them."""

    hq: Hq
    url: str
    orders: dict[str, str] = field(default_factory=dict)
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def place(self, name: str, *lines: TokenLine, **form: str) -> str:
        """Order what a slip says, and return the order's id."""
        placed = self.hq.claim(self.hq.digits(*lines, counter=next(self.numbers)), **form)
        assert placed.status_code == 303, placed.text
        self.orders[name] = str(placed.location.rpartition("/")[2])
        return self.orders[name]

    def sell(self, name: str, *lines: TokenLine, **form: str) -> dict[str, Any]:
        """Order and pay, and return the seller's part."""
        part = paid_part(self.hq, *lines, counter=next(self.numbers), **form)
        self.orders[name], self.parts[name] = part["order_id"], part
        return part

    def bring(self, name: str, *lines: TokenLine, **form: str) -> str:
        """Sell a device and bring it to its customer, and return how forms name it."""
        part = self.sell(name, *lines, **form)
        serial = f"49015420{len(self.parts):06d}"
        return delivered(self.hq, part, imei=serial + luhn.calc_check_digit(serial))

    def send(self, name: str, what: str, **form: str) -> None:
        """Send a form of an order's customer."""
        answer = self.hq.client.post(f"/orders/{self.orders[name]}/{what}", data=form)
        assert answer.status_code == 303, (name, what, answer.text)

    def link(self, email: str) -> str:
        """Return the address by which somebody signs in."""
        made = run_tx(self.hq.engine, lambda connection: make_link(connection, owner_of(email), email, clock.now()))
        owner, secret = made.split("/")[2:]
        return f"{self.url}/sign-in/{owner}/{secret}"


@contextmanager
def traded(directory: Path) -> Iterator[Traded]:
    """Found a marketplace, let a trade happen there, and serve it until the block ends."""
    with clock.held_at(clock.now() - LONG_AGO):
        hq = Hq(directory, None)
        with_keys = ProviderSettings(key="sk_test_1", webhook_secret="whsec_1", api="http://127.0.0.1:9")
        run_tx(hq.engine, lambda connection: store_settings(connection, with_keys))
        hq.import_world(l12={"price": "350.00"})
        hq.speak("fr", "en", "es", "de", "ar")
        hq.publish()
        hq.write("update listing set quantity = 90")
    with serving_app(hq) as url:
        made = Traded(hq, url)
        with clock.held_at(clock.now() - LONG_AGO):
            happen_long_ago(made)
        plan_payouts(hq.engine, now=clock.now() - LONG_AGO + timedelta(days=25))
        for happen in (happen_to_orders, happen_to_returns, happen_to_plans, happen_elsewhere):
            happen(made)
        yield made
    hq.close()


def happen_long_ago(made: Traded) -> None:
    """A bundle was delivered, and somebody who gave up what they ordered was erased."""
    part = made.sell("long ago", IPHONE_13_WITH_PLAN)
    acknowledge_plans(made.hq)
    delivered(made.hq, part)
    erased = made.sell("erased", IPHONE_13, email=STRANGER)
    made.send("erased", "cancellation")
    [placed] = made.hq.rows(
        "select customer_id, number from customer_order where order_id = :order_id", order_id=erased["order_id"]
    )
    made.hq.write("update refund set state = 'done'")
    erase_person(made.hq.engine, placed["customer_id"], placed["number"], reason="asked", now=clock.now())


def happen_to_orders(made: Traded) -> None:
    """An order in each state on the way to its customer, or off it."""
    hq, seller = made.hq, Actor(by="seller:1", at=clock.to_text(clock.now()), why="stock")
    made.place("open", IPHONE_13)
    left = made.place("unpaid", IPHONE_13)
    hq.write("update customer_order set state = 'unpaid', reserved_until = null where order_id = :left", left=left)
    made.sell("paid", IPHONE_13)
    for name, step in (("accepted", accept), ("given up", give_up)):
        order_id = made.sell(name, IPHONE_13)["order_id"]
        with reading(hq.engine) as connection:
            units = units_of_order(connection, order_id)
        run_tx(hq.engine, lambda connection, step=step, units=units: step(connection, units, seller))  # type: ignore[misc]
    sent = made.bring("shipped", IPHONE_13)
    hq.write("update unit set state = 'shipped', delivered_at = null where part_id = :part", part=sent.partition(":")[0])
    made.bring("delivered", IPHONE_13)
    made.sell("cancelled", IPHONE_13)
    made.send("cancelled", "cancellation")
    part = made.sell("talked about", IPHONE_13)
    made.send("talked about", "messages", part=part["part_id"], text="Quand part-il ?")


def happen_to_returns(made: Traded) -> None:
    """A device that goes back, one that did and whose money follows, one whose money went, and what is claimed for."""
    desk = sign_in_seller(made)
    for name, steps in (("withdrawn", ()), ("returned", ("arrival",)), ("refunded", ("arrival", "refund"))):
        unit = made.bring(name, IPHONE_13)
        made.send(name, "withdrawal", unit=unit)
        for step in steps:
            assert desk.post(f"/seller/returns/{unit}:1/{step}").status_code == 303
    for name, remedy in (("claimed", ""), ("to be repaired", "repair")):
        unit = made.bring(name, IPHONE_13)
        made.send(name, "claims", unit=unit, ground="legal", wish="repair", said=SAID)
        if remedy:
            assert desk.post(f"/seller/returns/{unit}:1/answer", data={"remedy": remedy}).status_code == 303
    part_id = made.parts["talked about"]["part_id"]
    assert desk.post(f"/seller/orders/{part_id}/messages", data={"text": "Demain."}).status_code == 303


def happen_to_plans(made: Traded) -> None:
    """Plans alone and with a device, at each of their carrier's answers."""
    made.place("plan asked for", PLAN_ALONE, acquisition_1="new")
    made.place("plan without its number", PLAN_ALONE, acquisition_1="port")
    made.sell("bundle without its number", IPHONE_13_WITH_PLAN, acquisition_1="port")
    for name, state in (("plan active", "active"), ("plan refused", "refused")):
        order_id = made.place(name, PLAN_ALONE, acquisition_1="new")
        made.hq.write("update activation set state = :state where order_id = :order_id", state=state, order_id=order_id)


def happen_elsewhere(made: Traded) -> None:
    """A slip a kiosk told of, its day, an event nobody can judge; a company that applies; a seller's listing and file."""
    hq = made.hq
    hq.up(hq.event("slip_issued", slip_body(hq, counter=next(made.numbers))))
    hq.up(hq.event("day_report", told(day_of_payout(hq))))
    poison(hq)
    assert apply(hq, ("kbis.pdf", PDF)).status_code == 303
    hq.write(
        """
        insert into seller_application (seller_id, state, company, email, language, body, applied_at)
        select 1, state, 'the same again', email, language, body, applied_at from seller_application
        """
    )
    program = Seller(hq)
    program.put("B-1")
    file = table(line("A-1"), line("A-2", price="beaucoup"))
    assert program.ask("POST", "/imports", data=file, content_type="text/csv").status_code == 202
    hq.work()


def day_of_payout(hq: Hq) -> str:
    [payout] = hq.rows("select day from payout")
    return str(payout["day"])


def sign_in_seller(made: Traded) -> Any:
    """Return the browser of the seller's owner, who chose a password by a link."""
    _, secret = run_tx(made.hq.engine, lambda connection: invite(connection, 1, OWNER, "owner", now=clock.now()))
    browser = made.hq.app.test_client()
    assert browser.post(f"/seller/password/1/{secret}", data={"password": PASSWORD}).status_code == 303
    assert browser.post("/seller/login", data={"email": OWNER, "password": PASSWORD}).status_code == 303
    return browser


def customers_screens(context: BrowserContext, made: Traded) -> dict[str, Way]:
    """What a customer sees of their orders, in each state, and all they can do with them."""
    orders, url = made.orders, made.url
    device, sent_back = orders["delivered"], orders["withdrawn"]
    waiting, refused = orders["plan without its number"], orders["plan refused"]
    [unit] = names_of(made.hq, made.parts["delivered"])
    selection = (
        context.request.post(f"{url}/selections", form={"listing": 11}, max_redirects=0).headers["location"].rpartition("/")[2]
    )
    slip = made.hq.digits(IPHONE_13, counter=next(made.numbers))
    made.hq.claim(slip)
    used = made.link(CONTACT["email"])
    context.request.post(used)
    mind, back, claim = (f"{url}/orders/{device}/{what}" for what in ("withdrawal", "returns", "claims"))
    number = f"{url}/orders/{waiting}/activations/1/1"
    return {
        **{f"an order, {name}": Screen(f"{url}/orders/{order_id}") for name, order_id in orders.items()},
        "changing one's mind": Screen(f"{url}/orders/{device}/withdrawal"),
        "about nothing": post(mind, 422, at=mind),
        "one's mind was changed": Screen(f"{url}/orders/{sent_back}/withdrawals/1"),
        "sending back": Screen(f"{url}/orders/{device}/returns"),
        "sending back nothing": post(back, 422, at=back),
        "claiming": Screen(f"{url}/orders/{device}/claims"),
        "claiming without a word": post(claim, 422, at=claim, unit=unit, ground="legal"),
        "a message without words": post(f"{url}/orders/{device}/messages", 422, at=number, part=unit.partition(":")[0]),
        "a plan's number": Screen(number),
        "no number": post(f"{number}/number", 422, at=number, phone="12", rio="x"),
        "after a carrier's refusal": Screen(f"{url}/orders/{refused}/activations/1/1"),
        "ordering a selection": Screen(f"{url}/selections/{selection}/order"),
        "ordering without an address": post(
            f"{url}/selections/{selection}/order", 422, at=f"{url}/selections/{selection}/order", name="", email="alix"
        ),
        "a slip used before": Screen(f"{url}/k/{slip}"),
        "a link to sign in": linked(made, CONTACT["email"]),
        "a link used before": Screen(used, 409),
        "one's orders": signed_in(made, CONTACT["email"]),
        "no orders": signed_in(made, STRANGER),
    }


def linked(made: Traded, email: str) -> Way:
    """Return the way to the page of a link that signs in; each is for a quarter of an hour."""

    def go(page: Page) -> int:
        return Screen(made.link(email))(page)

    return go


def signed_in(made: Traded, email: str) -> Way:
    """Return the way to one's own orders."""

    def go(page: Page) -> int:
        page.context.request.post(made.link(email))
        return Screen(f"{made.url}/my-orders")(page)

    return go


def desk_screens(context: BrowserContext, made: Traded) -> dict[str, Way]:
    """Everything a seller works on."""
    context.request.post(f"{made.url}/seller/login", form={"email": OWNER, "password": PASSWORD})
    email = f"new-{next(made.numbers)}@vendeur.example"
    _, secret = run_tx(made.hq.engine, lambda connection: invite(connection, 1, email, "reader", now=clock.now()))
    [listing] = made.hq.rows("select listing_id from listing where listing_id >= 100000000 order by listing_id limit 1")
    [file] = made.hq.rows("select import_id from seller_import")
    values = {"part_id": made.parts["talked about"]["part_id"], "day": day_of_payout(made.hq), "seller_id": 1, "secret": secret}
    return pages_below(made, "/seller", {**values, **listing, **file})


def console_screens(context: BrowserContext, made: Traded) -> dict[str, Way]:
    """Everything HQ works on."""
    context.request.post(f"{made.url}/console/login", form={"password": made.hq.password})
    console = f"{made.url}/console"
    query = "select customer_id, number from customer_order where order_id = :order_id"
    [placed] = made.hq.rows(query, order_id=made.parts["claimed"]["order_id"])
    [dead] = made.hq.rows("select seq from inbox where state = 'dead'")
    [company] = made.hq.rows("select seller_id from seller_application where seller_id > 1")
    days = {"day": day_of_payout(made.hq), "month": clock.to_text(clock.now() - LONG_AGO)[:7]}
    devices = {"corner_id": "nantes-crebillon", "key_id": made.hq.key_id, "stream": made.hq.stream, **dead}
    named = {"account": "seller_payable", "partner_id": "loire-mobile", "file": "plans", "key": "1", "seller_id": 1}
    applicant = f"{console}/sellers/{company['seller_id']}"
    return {
        **pages_below(made, "/console", {**placed, **days, **devices, **named}),
        "a company that applied": Screen(applicant),
        "a decision without reasons": post(f"{applicant}/decision", 422, at=applicant, state="trial"),
        "a table to change": Screen(f"{console}/edits/corners/nantes-crebillon"),
        "a code to enrol with": post(f"{console}/corners/paris-beaubourg/enrolments", 200, at=f"{console}/"),
    }


def pages_below(made: Traded, prefix: str, values: dict[str, Any]) -> dict[str, Way]:
    """Return the way to every page below an address, its parts as they are here."""
    rules = [rule for rule in made.hq.app.url_map.iter_rules() if rule.rule.startswith(prefix) and is_page(rule)]
    return {rule.rule: Screen(made.url + address_of(rule, values)) for rule in rules}


def is_page(rule: Rule) -> bool:
    """Tell whether a route is a page that somebody looks at."""
    return "GET" in (rule.methods or ()) and not FILE.search(rule.rule) and rule.rule not in NO_SCREENS


def address_of(rule: Rule, values: dict[str, Any]) -> str:
    built = rule.build({name: values[name] for name in rule.arguments})
    assert built is not None, rule.rule
    return built[1]
