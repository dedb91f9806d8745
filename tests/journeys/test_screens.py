"""Every screen of the product, in both languages and themes and on every glass: accessible, silent, no wider than the glass."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import BrowserContext, Page

from pos import tokens
from pos.slips import load_device
from pos.tokens import TokenLine
from tests.amounts import amount
from tests.journeys.conftest import System
from tests.journeys.screens import Theme, Way, goto, post, problems, visitor
from tests.journeys.steps import (
    CONTACT,
    enter_counter,
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

# Every language and every theme; contrast does not depend on the language, so that one of them is enough for the light theme.
THEMES: tuple[Theme, ...] = ("light", "dark")
LANGUAGES: dict[str, tuple[Theme, ...]] = {"fr": THEMES[: amount("themes a screen is looked at in")], "en": ("dark",)}
FREE_PLAN, PLAN_WITH_CREDIT = 1, 11


def test_the_look_sees_what_it_must(context: BrowserContext, shared_system: System) -> None:
    """A policy broken, a picture without words, too little contrast, something too wide, an answer nobody meant."""
    spoilt = """() => {
      const box = document.createElement("div");
      box.innerHTML = '<p style="color: red">styled</p><img src="/drawings/phone-276787-2.svg"><b>pale</b>';
      box.style.inlineSize = "1500px";
      box.lastChild.style.color = "#aaa";
      document.querySelector("main").prepend(box);
    }"""

    def spoil(page: Page) -> int:
        page.goto(f"{shared_system.kiosk_url}/home")
        page.evaluate(spoilt)
        return 404

    said = " ".join(problems(visitor(context, "fr"), {"spoilt": spoil}))

    for wrong in (
        "answered 200, not 404",
        "Content Security Policy",
        "at 1080x1920: wider",
        "light: color-contrast",
        "image-alt",
    ):
        assert wrong in said


@pytest.mark.parametrize(("language", "themes"), LANGUAGES.items())
def test_customers_screens(context: BrowserContext, shared_system: System, language: str, themes: tuple[Theme, ...]) -> None:
    assert problems(visitor(context, language), customer_screens(context, shared_system), themes) == []


@pytest.mark.parametrize(("language", "themes"), LANGUAGES.items())
def test_refusals_of_the_kiosk(context: BrowserContext, shared_system: System, language: str, themes: tuple[Theme, ...]) -> None:
    assert problems(visitor(context, language), kiosk_refusals(context, shared_system), themes) == []


@pytest.mark.parametrize("view", ["contrast.speech", "reach.text"])
def test_customers_screens_as_they_wish_to_see_them(context: BrowserContext, shared_system: System, view: str) -> None:
    screens = customer_screens(context, shared_system)
    chosen = {name: screens[name] for name in ("attract", "home", "device with everything", "selection", "slip")}
    chosen["asked whether they are there"] = asked_at(shared_system)

    assert problems(visitor(context, "fr", view=view), chosen) == []


@pytest.mark.parametrize(("language", "themes"), LANGUAGES.items())
def test_counter_screens(context: BrowserContext, shared_system: System, language: str, themes: tuple[Theme, ...]) -> None:
    page = visitor(context, language)
    ways = counter_screens(context, shared_system)
    enter_counter(page, shared_system)

    assert problems(page, ways, themes) == []


@pytest.mark.parametrize(("language", "themes"), LANGUAGES.items())
def test_marketplace_screens(context: BrowserContext, shared_system: System, language: str, themes: tuple[Theme, ...]) -> None:
    assert problems(visitor(context, language), marketplace_screens(context, shared_system), themes) == []


@pytest.mark.parametrize(("language", "themes"), LANGUAGES.items())
def test_the_shop_at_home(context: BrowserContext, shared_system: System, language: str, themes: tuple[Theme, ...]) -> None:
    assert problems(visitor(context, language), home_screens(context, shared_system), themes) == []


@pytest.mark.parametrize(("language", "themes"), LANGUAGES.items())
def test_console_screens(context: BrowserContext, shared_system: System, language: str, themes: tuple[Theme, ...]) -> None:
    page = visitor(context, language)
    console = f"{shared_system.marketplace_url}/console"
    shut = {
        "log in": goto(f"{console}/login"),
        "wrong password": post(f"{console}/login", 403, at=f"{console}/login", password="wrong"),
    }
    places = {name: goto(f"{console}/{name}") for name in ("", "slips", "orders", "sellers", "days", "dead-letters")}
    places["team"] = goto(f"{console}/corners/nantes-crebillon/team")
    code = {"code": post(f"{console}/corners/lyon-republique/enrolments", 200, at=f"{console}/")}
    order_url(context, shared_system)

    assert problems(page, shut, themes) == []
    page.goto(f"{console}/login")
    page.locator("[name=password]").fill(shared_system.password)
    page.locator("form.login button").click()
    page.wait_for_url("**/console/")
    assert problems(page, {**places, **code}, themes) == []


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
        "attract": goto(f"{kiosk}/"),
        "home": goto(f"{kiosk}/home"),
        "every filter": goto(f"{kiosk}/browse?category=phones&brand=Apple&storage=128&grade=GOOD&min=100&max=900&sort=price"),
        "a typo": goto(f"{kiosk}/browse?q=ipone"),
        "no result": goto(f"{kiosk}/browse?q=zzzzzz"),
        "compare four": goto(f"{kiosk}/compare?{compared}"),
        "the finder's questions": goto(f"{kiosk}/finder"),
        "the finder's answers": goto(f"{kiosk}/finder?q=un+telephone+grand+ecran+simple+moins+de+400+euros+qui+vole"),
        "nothing to find": goto(f"{kiosk}/finder?q=iphone+13+moins+de+20+euros"),
        "device": goto(f"{kiosk}/sku/{phones[0]}"),
        "device with everything": goto(bundle),
        "device of somebody who stays": goto(f"{kiosk}/sku/{phones[0]}?plans=all&acquisition=renewal"),
        "device without a plan": goto(f"{kiosk}/sku/{first_sku(context, system, 'vacuums')}"),
        "plans alone": goto(f"{kiosk}/plans?acquisition=port"),
        "how it works": goto(f"{kiosk}/how-it-works"),
        "grades": goto(f"{kiosk}/grades"),
        "past prices": goto(f"{kiosk}/sku/{phones[0]}/prices"),
        "empty selection": goto(f"{kiosk}{new_selection(context, system)}"),
        "selection": goto(f"{kiosk}{selection}"),
        "slip": goto(f"{kiosk}{issue(context, system, selection)}"),
        "slip on paper": goto(f"{kiosk}{printed}"),
        "voided slip": goto(f"{kiosk}{voided_slip(context, system)}"),
    }


def kiosk_refusals(context: BrowserContext, system: System) -> dict[str, Way]:
    """What a customer can be refused, each with what was kept and the way on."""
    home, new = f"{system.kiosk_url}/home", f"{system.kiosk_url}/selections"
    sku = first_sku(context, system, "phones")
    listing = listing_at(context, f"{system.kiosk_url}/sku/{sku}")
    empty = f"{system.kiosk_url}{new_selection(context, system)}"
    changed = f"{system.kiosk_url}{new_selection(context, system, listing=listing)}"
    return {
        "nothing here": goto(f"{system.kiosk_url}/sku/NO-SUCH-DEVICE", 404),
        "not understood": goto(f"{system.kiosk_url}/browse?min=much", 400),
        "price changed": post(new, 409, at=home, listing=listing, seen=100),
        "offer gone": post(new, 409, at=home, listing=listing_with(system, "offline")),
        "too few left": post(new, 409, at=home, listing=listing_with(system, "online", most=8), qty=9),
        "plan not open": post(new, 422, at=home, listing=listing, plan=FREE_PLAN, acquisition="renewal"),
        "selection empty": post(f"{empty}/slip", 422, at=empty),
        "selection changed": post(f"{changed}/slip", 409, at=changed, seen="0" * 32),
    }


def counter_screens(context: BrowserContext, system: System) -> dict[str, Way]:
    """Every page a clerk works on; the door too, as it looks to somebody who mistyped."""
    kiosk, door = system.kiosk_url, f"{system.kiosk_url}/counter/session"
    slip, void = new_slip(context, system), voided_slip(context, system)
    context.request.post(f"{kiosk}{slip}/print")
    phone = listing_at(context, f"{kiosk}/sku/{first_sku(context, system, 'phones')}")
    waiting = new_selection(context, system, listing=phone)
    context.request.post(f"{kiosk}/calls", form={"s": waiting.rpartition("/")[2]})
    return {
        "door": goto(door),
        "wrong PIN": post(door, 422, at=door, clerk="yanis", pin="000000"),
        "today": goto(f"{kiosk}/counter/"),
        "a slip": goto(f"{kiosk}/counter{slip}"),
        "a voided slip": goto(f"{kiosk}/counter{void}"),
        "table": goto(f"{kiosk}/counter/table"),
        "labels": goto(f"{kiosk}/counter/labels"),
        "an unknown label": goto(f"{kiosk}/counter/labels?scanned=999"),
        "the day": goto(f"{kiosk}/counter/day"),
        "state": goto(f"{kiosk}/counter/state"),
        "own page": goto(f"{kiosk}/counter/me"),
        "hand-over": goto(f"{kiosk}/counter/me/handover"),
        "another PIN": goto(f"{kiosk}/counter/me/pin"),
        "team": goto(f"{kiosk}/counter/team"),
        "journal": goto(f"{kiosk}/counter/journal"),
        "no such number": goto(f"{kiosk}/counter/?find=35-0001-X", 404),
        "slips of a device": goto(f"{kiosk}/counter/?find=iphone"),
        "a selection waits": goto(f"{kiosk}/counter{waiting}"),
        "in hand": post(f"{kiosk}/counter{waiting}/help", 200, at=f"{kiosk}/counter/"),
        "to be added": goto(f"{kiosk}/counter{waiting}?q=iphone"),
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
        "home": goto(f"{system.marketplace_url}/"),
        "slip": goto(slip),
        "incomplete claim": post(f"{slip}/claim", 422, at=slip, name="", email="alix", address="3 rue"),
        "risen total": post(f"{slip}/claim", 409, at=slip, seen_cents=1, **CONTACT),
        "expired": goto(base + made_up(digits, device.private_key, issued_minute=1, publication=9999)),
        "waiting": goto(base + made_up(digits, unknown, key_id=tokens.key_id(unknown.public_key().public_bytes_raw())), 202),
        "mangled": goto(base + "12345", 400),
        "forged": goto(base + tokens.to_digits(bytes(forged)), 400),
        "line gone": goto(base + made_up(digits, device.private_key, lines=(gone_line(system),), counter=50_000)),
        "order": goto(order_url(context, system)),
        "nothing here": goto(f"{system.marketplace_url}/orders/none", 404),
    }


def home_screens(context: BrowserContext, system: System) -> dict[str, Way]:
    """The shop's second door: what a customer finds on their own screen, refusals too."""
    shop = system.marketplace_url
    phones = re.findall(r'href="/sku/([^"?]+)', get(context, f"{shop}/browse?category=phones&min=400&market=fr"))[:4]
    bundle = f"{shop}/sku/{phones[0]}?plan={PLAN_WITH_CREDIT}&option=1&plans=all"
    listing = listing_at(context, bundle)
    chosen = {"listing": listing, "plan": PLAN_WITH_CREDIT, "option": 1}
    selection = context.request.post(f"{shop}/selections", form=chosen, max_redirects=0).headers["location"]
    compared = "&".join(f"sku={each}" for each in phones)
    return {
        "home": goto(f"{shop}/home"),
        "every filter": goto(f"{shop}/browse?category=phones&brand=Apple&storage=128&grade=GOOD&min=100&max=900&sort=price"),
        "no result": goto(f"{shop}/browse?q=zzzzzz"),
        "compare four": goto(f"{shop}/compare?{compared}"),
        "the finder's questions": goto(f"{shop}/finder"),
        "the finder's answers": goto(f"{shop}/finder?q=un+telephone+grand+ecran+simple+moins+de+400+euros+qui+vole"),
        "device with everything": goto(bundle),
        "device without a plan": goto(f"{shop}/sku/{first_sku(context, system, 'vacuums')}"),
        "plans alone": goto(f"{shop}/plans?acquisition=port"),
        "how it works": goto(f"{shop}/how-it-works"),
        "grades": goto(f"{shop}/grades"),
        "past prices": goto(f"{shop}/sku/{phones[0]}/prices"),
        "selection": goto(f"{shop}{selection}"),
        "described selection": goto(f"{shop}/selections/new?l={listing}.{PLAN_WITH_CREDIT}.1.new.1"),
        "empty selection": goto(f"{shop}/selections/new"),
        "nothing here": goto(f"{shop}/sku/NO-SUCH-DEVICE", 404),
        "not understood": goto(f"{shop}/browse?min=much", 400),
        "price changed": post(f"{shop}/selections", 409, at=f"{shop}/home", listing=listing, seen=100),
    }


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
