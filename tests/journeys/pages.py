"""The screens of the product, by name: how to come to each page of both doors, with and without something in it, refusals too."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import BrowserContext, Page

from pos import tokens
from pos.slips import load_device
from pos.tokens import TokenLine
from tests.journeys.conftest import System
from tests.journeys.screens import Screen, Way, post
from tests.journeys.steps import (
    CONTACT,
    first_sku,
    get,
    issue,
    listing_at,
    new_selection,
    new_slip,
    order_url,
    slip_url,
    voided_slip,
)
from tests.world import PIN

FREE_PLAN, PLAN_WITH_CREDIT = 1, 11
PARTNER = "manette-bleue"


def kiosk_screens(context: BrowserContext, system: System) -> dict[str, Way]:
    """Everything a customer can come to at a corner."""
    return {**customer_screens(context, system), **kiosk_refusals(context, system)}


def shop_screens(context: BrowserContext, system: System) -> dict[str, Way]:
    """Everything a customer can come to at home, and with a slip."""
    slips = {f"{name} of a slip": way for name, way in marketplace_screens(context, system).items()}
    return {**home_screens(context, system), **slips}


def asked_at(system: System) -> Way:
    """Return the way to the question that an idle page asks."""

    def go(page: Page) -> int:
        page.goto(f"{system.kiosk_url}/home")
        page.evaluate("document.getElementById('idle').showModal()")
        return 200

    return go


def customer_screens(context: BrowserContext, system: System) -> dict[str, Way]:
    """Every page a customer can come to by touching, with and without something in it."""
    kiosk = system.kiosk_url
    phones = re.findall(r'href="/sku/([^"?]+)', get(context, f"{kiosk}/browse?category=phones&min=400"))[:4]
    bundle = f"{kiosk}/sku/{phones[0]}?plan={PLAN_WITH_CREDIT}&option=1&plans=all"
    alone = listing_at(context, f"{kiosk}/sku/{phones[1]}")
    selection = new_selection(context, system, listing=listing_at(context, bundle), plan=PLAN_WITH_CREDIT, option=1)
    context.request.post(f"{kiosk}{selection}/lines", form={"listing": alone})
    printed = new_slip(context, system, listing=alone)
    context.request.post(f"{kiosk}{printed}/print")
    compared = "&".join(f"sku={each}" for each in phones)
    return {
        "attract": Screen(f"{kiosk}/"),
        "home": Screen(f"{kiosk}/home"),
        "every filter": Screen(f"{kiosk}/browse?category=phones&brand=Apple&storage=128&grade=GOOD&min=100&max=900&sort=price"),
        "a typo": Screen(f"{kiosk}/browse?q=ipone"),
        "no result": Screen(f"{kiosk}/browse?q=zzzzzz"),
        "compare four": Screen(f"{kiosk}/compare?{compared}"),
        "the finder's questions": Screen(f"{kiosk}/finder"),
        "the finder's answers": Screen(f"{kiosk}/finder?q=un+telephone+grand+ecran+simple+moins+de+400+euros+qui+vole"),
        "nothing to find": Screen(f"{kiosk}/finder?q=iphone+13+moins+de+20+euros"),
        "device": Screen(f"{kiosk}/sku/{phones[0]}"),
        "device with everything": Screen(bundle),
        "device of somebody who stays": Screen(f"{kiosk}/sku/{phones[0]}?plans=all&acquisition=renewal"),
        "device without a plan": Screen(f"{kiosk}/sku/{first_sku(context, system, 'vacuums')}"),
        "plans alone": Screen(f"{kiosk}/plans?acquisition=port"),
        "how it works": Screen(f"{kiosk}/how-it-works"),
        "grades": Screen(f"{kiosk}/grades"),
        "past prices": Screen(f"{kiosk}/sku/{phones[0]}/prices"),
        "empty selection": Screen(f"{kiosk}{new_selection(context, system)}"),
        "selection": Screen(f"{kiosk}{selection}"),
        "slip": Screen(f"{kiosk}{issue(context, system, selection)}"),
        "slip on paper": Screen(f"{kiosk}/slips/{number_of(printed)}"),
        "asked whether they are there": asked_at(system),
        "voided slip": Screen(f"{kiosk}{voided_slip(context, system)}"),
    }


def kiosk_refusals(context: BrowserContext, system: System) -> dict[str, Way]:
    """What a customer can be refused, each with what was kept and the way on."""
    home, new = f"{system.kiosk_url}/home", f"{system.kiosk_url}/selections"
    sku = first_sku(context, system, "phones")
    listing = listing_at(context, f"{system.kiosk_url}/sku/{sku}")
    empty = f"{system.kiosk_url}{new_selection(context, system)}"
    changed = f"{system.kiosk_url}{new_selection(context, system, listing=listing)}"
    return {
        "no such device": Screen(f"{system.kiosk_url}/sku/NO-SUCH-DEVICE", 404),
        "not understood": Screen(f"{system.kiosk_url}/browse?min=much", 400),
        "price changed": post(new, 409, at=home, listing=listing, seen=100),
        "offer gone": post(new, 409, at=home, listing=listing_with(system, "offline")),
        "too few left": post(new, 409, at=home, listing=listing_with(system, "online", most=8), qty=9),
        "plan not open": post(new, 422, at=home, listing=listing, plan=FREE_PLAN, acquisition="renewal"),
        "selection empty": post(f"{empty}/slip", 422, at=empty),
        "selection changed": post(f"{changed}/slip", 409, at=changed, seen="0" * 32),
    }


def counter_screens(context: BrowserContext, system: System) -> dict[str, Way]:
    """Every page a clerk works on."""
    kiosk = system.kiosk_url
    slip, void = new_slip(context, system), voided_slip(context, system)
    context.request.post(f"{kiosk}{slip}/print")
    phone = listing_at(context, f"{kiosk}/sku/{first_sku(context, system, 'phones')}")
    [device, *_] = re.findall(r'"/counter/table/devices/(\w+)', get(context, f"{kiosk}/counter/table"))
    waiting = new_selection(context, system, listing=phone)
    context.request.post(f"{kiosk}/calls", form={"s": number_of(waiting)})
    return {
        "today": Screen(f"{kiosk}/counter/"),
        "a slip": Screen(f"{kiosk}/counter/slips/{number_of(slip)}"),
        "a voided slip": Screen(f"{kiosk}/counter/slips/{number_of(void)}"),
        "table": Screen(f"{kiosk}/counter/table"),
        "labels": Screen(f"{kiosk}/counter/labels"),
        "an unknown label": Screen(f"{kiosk}/counter/labels?scanned=999"),
        "the day": Screen(f"{kiosk}/counter/day"),
        "state": Screen(f"{kiosk}/counter/state"),
        "own page": Screen(f"{kiosk}/counter/me"),
        "hand-over": Screen(f"{kiosk}/counter/me/handover"),
        "a device": Screen(f"{kiosk}/counter/table/devices/{device}"),
        "paper": Screen(f"{kiosk}/counter/paper"),
        "another printer": Screen(f"{kiosk}/counter/printers/new"),
        "the printer": Screen(f"{kiosk}/counter/printers/printer"),
        "another PIN": Screen(f"{kiosk}/counter/me/pin"),
        "team": Screen(f"{kiosk}/counter/team"),
        "journal": Screen(f"{kiosk}/counter/journal"),
        "no such number": Screen(f"{kiosk}/counter/?find=35-0001-X", 404),
        "slips of a device": Screen(f"{kiosk}/counter/?find=iphone"),
        "a selection waits": Screen(f"{kiosk}/counter/selections/{number_of(waiting)}"),
        "in hand": post(f"{kiosk}/counter{waiting}/help", 200, at=f"{kiosk}/counter/"),
        "to be added": Screen(f"{kiosk}/counter{waiting}?q=iphone"),
        "nobody's code": post(f"{kiosk}/counter/scan", 404, at=f"{kiosk}/counter/", code="nothing"),
    }


def marketplace_screens(context: BrowserContext, system: System) -> dict[str, Way]:
    """Everything a slip's QR can lead to."""
    slip = slip_url(system, new_slip(context, system))
    digits = slip.rsplit("/", 1)[-1]
    forged = bytearray(tokens.from_digits(digits))
    forged[-1] ^= 1
    unknown, device = Ed25519PrivateKey.generate(), load_device(system.kiosk)
    base = f"{system.marketplace_url}/k/"
    return {
        "home": Screen(f"{system.marketplace_url}/"),
        "slip": Screen(slip),
        "incomplete claim": post(f"{slip}/claim", 422, at=slip, name="", email="alix", address="3 rue"),
        "risen total": post(f"{slip}/claim", 409, at=slip, seen_cents=1, **CONTACT),
        "expired": Screen(base + made_up(digits, device.private_key, issued_minute=1, publication=9999)),
        "waiting": Screen(base + made_up(digits, unknown, key_id=tokens.key_id(unknown.public_key().public_bytes_raw())), 202),
        "mangled": Screen(base + "12345", 400),
        "forged": Screen(base + tokens.to_digits(bytes(forged)), 400),
        "line gone": Screen(base + made_up(digits, device.private_key, lines=(gone_line(system),), counter=50_000)),
        "order": Screen(order_url(context, system)),
        "nothing here": Screen(f"{system.marketplace_url}/orders/none", 404),
    }


def home_screens(context: BrowserContext, system: System) -> dict[str, Way]:
    """The shop's second door: what a customer finds on their own screen, refusals too."""
    shop = system.marketplace_url
    phones = re.findall(r'href="/sku/([^"?]+)', get(context, f"{shop}/browse?category=phones&min=400&market=fr"))[:4]
    bundle = f"{shop}/sku/{phones[0]}?plan={PLAN_WITH_CREDIT}&option=1&plans=all"
    listing = listing_at(context, bundle)
    chosen: dict[str, str | float | bool] = {"listing": listing, "plan": PLAN_WITH_CREDIT, "option": 1}
    selection = context.request.post(f"{shop}/selections", form=chosen, max_redirects=0).headers["location"]
    compared = "&".join(f"sku={each}" for each in phones)
    return {
        "home": Screen(f"{shop}/home"),
        "every filter": Screen(f"{shop}/browse?category=phones&brand=Apple&storage=128&grade=GOOD&min=100&max=900&sort=price"),
        "no result": Screen(f"{shop}/browse?q=zzzzzz"),
        "compare four": Screen(f"{shop}/compare?{compared}"),
        "the finder's questions": Screen(f"{shop}/finder"),
        "the finder's answers": Screen(f"{shop}/finder?q=un+telephone+grand+ecran+simple+moins+de+400+euros+qui+vole"),
        "device with everything": Screen(bundle),
        "device without a plan": Screen(f"{shop}/sku/{first_sku(context, system, 'vacuums')}"),
        "plans alone": Screen(f"{shop}/plans?acquisition=port"),
        "how it works": Screen(f"{shop}/how-it-works"),
        "grades": Screen(f"{shop}/grades"),
        "past prices": Screen(f"{shop}/sku/{phones[0]}/prices"),
        "selection": Screen(f"{shop}{selection}"),
        "described selection": Screen(f"{shop}/selections/new?l={listing}.{PLAN_WITH_CREDIT}.1.new.1"),
        "empty selection": Screen(f"{shop}/selections/new"),
        "how offers are ranked": Screen(f"{shop}/how-we-rank"),
        "without a network": Screen(f"{shop}/away"),
        "sign in": Screen(f"{shop}/sign-in"),
        "a link is under way": Screen(f"{shop}/sign-in/sent"),
        "nothing here": Screen(f"{shop}/sku/NO-SUCH-DEVICE", 404),
        "not understood": Screen(f"{shop}/browse?min=much", 400),
        "price changed": post(f"{shop}/selections", 409, at=f"{shop}/home", listing=listing, seen=100),
    }


def partner_screens(context: BrowserContext, system: System) -> dict[str, Way]:
    """The shop in a partner's name and colours, once a visit has entered there."""
    shop = system.marketplace_url
    return {
        "entry": Screen(f"{shop}/p/{PARTNER}"),
        "list": Screen(f"{shop}/browse"),
        "device": Screen(f"{shop}/sku/{first_sku(context, system, 'consoles')}"),
    }


def enter_partner(page: Page, system: System) -> None:
    page.goto(f"{system.marketplace_url}/p/{PARTNER}")


def staff_doors(context: BrowserContext, system: System) -> dict[str, Way]:
    """What those who work here see before they are let in; a wrong PIN after the right one, since five wrong ones make wait."""
    counter, console = f"{system.kiosk_url}/counter/session", f"{system.marketplace_url}/console/login"

    def mistype(page: Page) -> int:
        page.context.request.post(counter, form={"clerk": "camille", "pin": PIN})
        return post(counter, 422, at=counter, clerk="camille", pin="000000")(page)

    return {
        "counter": Screen(counter),
        "wrong PIN": mistype,
        "console": Screen(console),
        "wrong password": post(console, 403, at=console, password="wrong"),
        "sellers' desk": Screen(f"{system.marketplace_url}/seller/login"),
        "a company applies": Screen(f"{system.marketplace_url}/sell"),
        "a company applied": Screen(f"{system.marketplace_url}/sell/waiting"),
    }


def number_of(path: str) -> str:
    """Return what a slip or a selection is called in its address."""
    return path.rpartition("/")[2]


def made_up(digits: str, key: Ed25519PrivateKey, **changes: Any) -> str:
    """Return the digits of another slip's token with some fields changed, signed with `key`."""
    token = tokens.decode(tokens.from_digits(digits))
    return tokens.to_digits(tokens.encode(replace(token, **changes), key))


def listing_with(system: System, state: str, *, most: int = 1_000) -> int:
    """Return a listing of the corner's market in this state, of which the feed has `most` at most."""
    with (system.feed / "listings.csv").open(encoding="utf-8", newline="") as source:
        rows = [row for row in csv.DictReader(source, delimiter=";") if row["market"] == "fr" and row["state"] == state]
    return next(int(row["listing_id"]) for row in rows if int(row["quantity"]) <= most)


def gone_line(system: System) -> TokenLine:
    return TokenLine(listing_id=listing_with(system, "offline"), one_off_cents=42900, monthly_cents=0)
