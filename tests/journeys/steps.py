"""Steps that several journeys take: what a customer or a clerk does on the way to what is tested."""

from __future__ import annotations

import csv
import re
import time
from contextlib import closing
from typing import Any

from playwright.sync_api import BrowserContext, Page

from pos import tokens
from pos.db import connect
from tests.journeys.conftest import System
from tests.processes import comptoir
from tests.world import PIN

CONTACT = {"name": "Alix Durand", "email": "alix@example.org", "address": "3 rue Crébillon\n44000 Nantes"}
JUDGED_S = 20


def enter_counter(page: Page, system: System) -> None:
    """Open the counter as Camille does."""
    page.goto(f"{system.kiosk_url}/counter/session")
    page.locator("[name=clerk][value=camille]").check()
    page.locator("#pin").fill(PIN)
    page.locator("#log-in").click()
    page.wait_for_url("**/counter/")


def ask_for(page: Page, language: str) -> None:
    """Choose a language, by its own name, from the menu of all that are spoken."""
    page.locator(".lang summary").click()
    page.locator(".lang[open]").get_by_text(language, exact=True).click()


def get(context: BrowserContext, url: str) -> str:
    answer = context.request.get(url)
    assert answer.ok, (url, answer.status)
    text: str = answer.text()
    return text


def first_sku(context: BrowserContext, system: System, category: str) -> str:
    return str(re.findall(r'href="/sku/([^"?]+)', get(context, f"{system.kiosk_url}/browse?category={category}"))[0])


def listing_at(context: BrowserContext, url: str) -> int:
    """Return the listing the button of a device's page stands for."""
    found = re.search(r'name="listing" value="(\d+)"', get(context, url))
    assert found, url
    return int(found[1])


def location(context: BrowserContext, url: str, **form: Any) -> str:
    """Send a form and return the path it leads to."""
    answer = context.request.post(url, form=form, max_redirects=0)
    assert answer.status == 303, (url, answer.status, answer.text()[:2000])
    path: str = answer.headers["location"]
    return path


def new_selection(context: BrowserContext, system: System, **wish: Any) -> str:
    """Return the path of a selection, with a line if there is a wish."""
    return location(context, f"{system.kiosk_url}/selections", **wish)


def issue(context: BrowserContext, system: System, selection: str) -> str:
    """Return the path of the slip of a selection."""
    return location(context, f"{system.kiosk_url}{selection}/slip")


def new_slip(context: BrowserContext, system: System, **wish: Any) -> str:
    """Return the path of a new slip; by default of a phone alone."""
    phone = listing_at(context, f"{system.kiosk_url}/sku/{first_sku(context, system, 'phones')}")
    return issue(context, system, new_selection(context, system, **(wish or {"listing": phone})))


def voided_slip(context: BrowserContext, system: System) -> str:
    """Return the path of a slip a clerk has voided."""
    slip, counter = new_slip(context, system), f"{system.kiosk_url}/counter"
    context.request.post(f"{counter}/session", form={"clerk": "camille", "pin": PIN})
    context.request.post(f"{counter}{slip}/void", form={"reason": "mistake"})
    return slip


def order_url(context: BrowserContext, system: System) -> str:
    """Return the address of an order placed with a new slip, of what no number of tests sells out."""
    catalog = connect(system.kiosk / "catalog.db", durable=False)
    most = "select listing_id from stock join offer using (listing_id) order by quantity desc, listing_id limit 1"
    [listing] = catalog.execute(most).fetchone()
    catalog.close()
    url = f"{slip_url(system, new_slip(context, system, listing=listing))}/claim"
    return f"{system.marketplace_url}{location(context, url, **CONTACT)}"


def slip_url(system: System, path: str) -> str:
    """Return what the QR code of a slip carries."""
    ops = connect(system.kiosk / "ops.db", durable=True)
    token = ops.execute("select token from slip where number = ?", [path.rsplit("/", 1)[-1]]).fetchone()[0]
    ops.close()
    return f"{system.marketplace_url}/k/{tokens.to_digits(token)}"


def sync(system: System) -> None:
    """Let the kiosk do a round, and HQ judge what it stored of it, which it does a moment later."""
    comptoir("kiosk", "sync", "--dir", str(system.kiosk))
    deadline = time.monotonic() + JUDGED_S
    with closing(connect(system.marketplace / "marketplace.db", durable=True)) as hq:
        while hq.execute("select exists(select 1 from inbox where state = 'new')").fetchone() == (1,):
            assert time.monotonic() < deadline, "HQ judges nothing"
            time.sleep(0.05)


def reprice(system: System, listing_id: int, *, by_cents: int) -> None:
    """Have a seller change a price, and HQ bring it to the kiosk."""
    path = system.feed / "listings.csv"
    with path.open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source, delimiter=";"))
    [row] = [row for row in rows if row["listing_id"] == str(listing_id)]
    cents = int(row["price"].replace(".", "")) + by_cents
    row |= {"price": f"{cents // 100}.{cents % 100:02d}", "prior_price": ""}
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, fieldnames=list(row), delimiter=";", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    comptoir("marketplace", "import", str(system.feed), "--dir", str(system.marketplace))
    comptoir("marketplace", "publish", "--dir", str(system.marketplace))
    sync(system)
