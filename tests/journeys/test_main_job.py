"""The main job, as its users do it: browse, bundle, slip, paper, order; and only then does the kiosk meet the network again."""

from __future__ import annotations

import io
import json
import re
from typing import Any
from urllib.request import urlopen

import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from pos import tokens
from pos.db import connect
from tests.journeys.conftest import System
from tests.journeys.steps import sync
from tests.processes import PATIENCE_S, get_json


def test_a_customer_leaves_with_a_slip_and_orders_before_the_kiosk_syncs(page: Page, system: System) -> None:
    system.cable.cut()

    number = choose_a_phone_with_a_plan(page, system)
    url = read_paper(print_slip(page, system))
    _, order_total = claim(page, url)

    assert url.startswith(f"{system.marketplace_url}/k/")
    assert tokens.decode(tokens.from_digits(url.rsplit("/", 1)[-1])).counter == 1
    assert claim_again(page, url) == "Ce bon a déjà servi."
    assert url.startswith(page.url)

    facts = slip_facts(system, number)
    assert matched(system) == []
    system.cable.mend()
    sync(system)

    assert get_json(f"{system.kiosk_url}/status.json")["outbox"]["pending"] == 0
    assert matched(system) == [(number, facts["totals"])]
    assert order_total == facts["totals"]["due_today_cents"]


def choose_a_phone_with_a_plan(page: Page, system: System) -> str:
    """Walk from the attract screen to a slip on screen, and return its number."""
    page.goto(system.kiosk_url)
    page.get_by_text("Touchez pour commencer").click()
    expect(page.get_by_role("heading", name="Sur cette table")).to_be_visible()
    page.locator("a[href*='/sku/']").first.click()
    grade = page.locator("a.rung:not(.on)").first.get_attribute("id")
    page.locator(f"#{grade}").click()
    expect(page.locator(f"#{grade}.on")).to_be_visible()
    page.locator(".plan:not(.on)[id^='plan-']").first.click()
    expect(page.locator(".plan.on[id^='plan-']:not(#plan-none)")).to_be_visible()
    page.locator("#choose").click()
    page.wait_for_url("**/selections/*")
    page.locator("#issue").click()
    page.wait_for_url("**/slips/*")
    number = page.locator("#slip-number").inner_text()
    assert tokens.parse_slip_number(number) == number
    return number


def print_slip(page: Page, system: System) -> bytes:
    """Tap "print" and return the picture of the paper."""
    page.locator("#print").click()
    expect(page.get_by_text("L’imprimante confirme")).to_be_visible(timeout=15_000)
    with urlopen(f"{system.paper_url}/latest.png", timeout=PATIENCE_S) as response:
        return bytes(response.read())


def read_paper(png: bytes) -> str:
    """Return what a phone's camera reads on the paper."""
    [code] = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))
    return str(code.text)


def claim(page: Page, url: str) -> tuple[str, int]:
    """Order on the customer's own phone; return the order's address and what is due today, in cents."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(url)
    page.locator("[name=name]").fill("Alix Durand")
    page.locator("[name=email]").fill("alix@example.org")
    page.locator("[name=address]").fill("3 rue Crébillon\n44000 Nantes")
    page.locator("[name^=acquisition_]").first.check()
    page.locator("form[action$='/claim'] button[type=submit], form[action$='/claim'] button").last.click()
    page.wait_for_url("**/orders/*")
    return page.url, cents(page.locator("dt:text-is('aujourd’hui') + dd").first.inner_text())


def claim_again(page: Page, url: str) -> str:
    """Scan the same paper once more; return what that says."""
    page.goto(url)
    return page.locator("h1").first.inner_text()


def slip_facts(system: System, number: str) -> dict[str, Any]:
    ops = connect(system.kiosk / "ops.db", durable=True)
    text = ops.execute("select facts from slip where number = ?", [number]).fetchone()[0]
    assert ops.execute("select count(*) from slip").fetchone() == (1,)
    ops.close()
    facts: dict[str, Any] = json.loads(text)
    return facts


def matched(system: System) -> list[tuple[str, dict[str, Any]]]:
    """Return the slips HQ holds that met their order without any difference, with HQ's own totals of the order."""
    hq = connect(system.marketplace / "marketplace.db", durable=True)
    assert hq.execute("select count(*) from customer_order").fetchone() == (1,)
    rows = hq.execute(
        """
        select slip.number, customer_order.totals
        from slip
        join claim using (corner_id, key_id, counter)
        join customer_order using (customer_id, order_id)
        where slip.difference is null and claim.difference is null
        """
    ).fetchall()
    hq.close()
    return [(number, json.loads(totals)) for number, totals in rows]


def cents(text: str) -> int:
    return int(re.sub(r"\D", "", text))
