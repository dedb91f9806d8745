"""The whole life of a trade: a company applies, is let in, sells, and is paid; each cent is looked for after each step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from playwright.sync_api import Page, expect

from pos import clock
from tests.journeys.steps import CONTACT
from tests.journeys.trade import Trade, trading
from tests.marketplace.conftest import cluster, founded, founded_on_postgres, hq, kind, real_now
from tests.marketplace.hq import Hq
from tests.marketplace.sellers.applicants import COMPANY, PDF, REASONS
from tests.marketplace.sellers.selling import EAN
from tests.processes import comptoir

__all__ = ["cluster", "founded", "founded_on_postgres", "hq", "kind"]
PASSWORD = "quai de la fosse"
PRICE, UNITS = 30000, 2
IMEIS = ("490154203237518", "011415009346880")
PAYOUT_DAYS = (6, 16, 26)


@pytest.fixture
def time() -> Iterator[time_machine.Coordinates]:
    """Nine in the morning of a day from which what ships falls due before the next but one day of payouts."""
    begin = real_now().replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while begin.day not in (2, 12, 22):
        begin += timedelta(days=1)
    with time_machine.travel(begin, tick=True) as moved:
        yield moved


@pytest.fixture
def trade(hq: Hq, time: time_machine.Coordinates, tmp_path: Path, page: Page) -> Iterator[Trade]:
    page.set_viewport_size({"width": 1280, "height": 900})
    with trading(hq, tmp_path, page) as running:
        hq.change()
        yield running


def test_a_company_applies_sells_ships_takes_one_back_and_is_paid(trade: Trade, time: time_machine.Coordinates) -> None:
    seller_id = apply_and_be_let_in(trade)
    enter_desk(trade, seller_id)
    listing = sell(trade)
    order = order_from_a_slip(trade, listing)
    assert trade.books() == {}
    pay(trade, order)
    kept = UNITS * PRICE * 15 // 1000 + 25
    assert trade.books() == {"provider": UNITS * PRICE - kept, "provider_fees": kept, "customer_money": -UNITS * PRICE}

    ship(trade)
    commission = UNITS * PRICE // 10
    books = trade.books()
    assert (books["provider"], books["commission"]) == (UNITS * PRICE - kept, -commission)
    net = -books["seller_payable"]
    assert net == UNITS * PRICE - commission - commission // 5
    send_one_back(trade, order)
    assert trade.books() == {
        "provider": UNITS * PRICE - PRICE - kept,
        "provider_fees": kept,
        "commission": -commission // 2,
        "fee_vat": -commission // 10,
        "seller_payable": -net // 2,
    }
    be_paid(trade, time, net // 2)


def apply_and_be_let_in(trade: Trade) -> int:
    """Apply as a company does, decide as HQ does; return the seller's number."""
    page = trade.page
    page.goto(f"{trade.url}/sell")
    for name, value in COMPANY.items():
        field = page.locator(f"[name={name}]")
        if name in ("certified", "mandate"):
            field.check()
        elif name == "country":
            field.select_option(value)
        else:
            field.fill(value)
    page.locator("[name=documents]").set_input_files({"name": "kbis.pdf", "mimeType": "application/pdf", "buffer": PDF})
    page.get_by_role("button", name="Envoyer la demande").click()
    page.wait_for_url("**/sell/waiting")

    trade.enter_console()
    page.goto(f"{trade.url}/console/sellers")
    page.get_by_role("link", name="Renouveau").first.click()
    for name, value in REASONS.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("button[value=trial]").click()
    expect(page.get_by_text(REASONS["facts"])).to_be_visible()
    return int(page.url.rpartition("/")[2])


def enter_desk(trade: Trade, seller_id: int) -> None:
    """Choose a password by the link HQ gives, and log in at the desk."""
    page = trade.page
    page.goto(f"{trade.url}/console/sellers/{seller_id}")
    page.locator("form[action$='/link'] button").first.click()
    link = page.locator("text=/seller/password/").first.inner_text().strip()
    page.goto(link if link.startswith("http") else trade.url + link)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("form button").last.click()
    page.wait_for_url("**/seller/login?chosen=1")
    page.locator("[name=email]").fill(COMPANY["email"])
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("form button").last.click()
    page.wait_for_url("**/seller")
    trade.key = make_key(trade, seller_id)


def make_key(trade: Trade, seller_id: int) -> str:
    """Give the seller's program a key, as HQ does by command."""
    said = comptoir("marketplace", "apikey", "--seller", str(seller_id), "--dir", str(trade.hq.directory))
    return said.split()[-1]


def sell(trade: Trade) -> str:
    """Send a file with a phone cheaper than all others, and a line a spreadsheet spoilt; the kiosk follows by itself."""
    head = "sku;ean;grade;price;quantity;warranty_delay;shipping_delay;shipping_price;vat_type;battery"
    lines = [f"R-13;{EAN};Très bon état;300,00;3;24;48;0;MARGINAL;91", "R-14;3,61E+12;Très bon état;300,00;3;24;48;0;MARGINAL;91"]
    trade.enrol_kiosk()
    file = "\r\n".join([head, *lines]).encode("cp1252")
    taken = trade.api("POST", "/imports", data=file, headers={"Content-Type": "text/csv", "Idempotency-Key": "morning"})
    trade.work()
    trade.work()
    report = trade.api("GET", f"/imports/{taken['import_id']}")
    assert (report["lines"], report["added"], report["refused"]) == (2, 1, 1)
    assert report["publication"]
    assert report["problems"][0]["field"] == "ean"
    trade.sync()
    with trade.screen() as screen:
        page = screen.get("/sku/IPHONE-13-128-BLUE?grade=GOOD").text
    assert "Renouveau" in page
    found = re.search(r'name="listing" value="(\d+)"', page)
    assert found
    return found[1]


def order_from_a_slip(trade: Trade, listing: str) -> str:
    """Take two of them to a slip, order them on a phone; return the order's address."""
    with trade.screen() as screen:
        slip = trade.issue(screen, listing, UNITS)
    page = trade.page
    page.goto(slip)
    for name, value in CONTACT.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("form[action$='/claim'] button").last.click()
    page.wait_for_load_state()
    [placed] = trade.hq.rows("select order_id from customer_order")
    return f"{trade.url}/orders/{placed['order_id']}"


def pay(trade: Trade, order: str) -> None:
    """Pay at the bank's page, come back, and let HQ ask the bank."""
    page = trade.page
    if not page.url.startswith(trade.bank.address):
        page.goto(order)
        page.locator("form[action$='/payment'] button").click()
    page.locator("button[value=pay]").click()
    page.wait_for_url(f"{order}*")
    trade.ask_bank()
    page.goto(order)
    expect(page.get_by_role("heading", name="Votre commande est payée.")).to_be_visible()
    assert any("commande" in subject.casefold() for subject, _ in trade.mails(CONTACT["email"]))


def ship(trade: Trade) -> None:
    """Accept at the desk, ship over the API."""
    page = trade.page
    page.goto(f"{trade.url}/seller/orders")
    page.locator("a[href^='/seller/orders/']").first.click()
    page.get_by_role("button", name=re.compile("Accepter")).click()
    [told] = trade.api("GET", "/orders")["orders"]
    for unit, imei in enumerate(IMEIS, start=1):
        sent = {
            "units": [unit],
            "carrier": "Colissimo",
            "tracking": f"6A1234567890{unit}",
            "devices": [{"unit": unit, "imei": imei}],
        }
        trade.api("POST", f"/orders/{told['order_id']}/lines/1/shipment", json=sent)


def send_one_back(trade: Trade, order: str) -> None:
    """The customer got both, withdraws from one and sends it; the seller has it back and refunds it; both have their papers."""
    page = trade.page
    page.goto(order)
    page.locator("form[action$='/delivery'] button").first.click()
    invoice = page.get_by_role("link", name=re.compile("^Facture")).first.get_attribute("href")
    assert trade.get_pdf(invoice).startswith(b"%PDF")
    page.get_by_role("link", name="Renoncer au contrat ici").click()
    page.locator("[name=unit]").first.check()
    page.get_by_role("button", name=re.compile("Confirmer|confirm")).click()
    expect(page.get_by_text("accusé de réception").first).to_be_visible()
    page.goto(order)
    page.locator("[name=tracking]").fill("6A99999999999")
    page.get_by_role("button", name="J’ai envoyé l’appareil").click()

    page.goto(f"{trade.url}/seller/returns")
    page.get_by_role("button", name="L’appareil est arrivé").click()
    page.get_by_role("button", name="Rembourser le client").click()
    expect(page.get_by_text("remboursé").first).to_be_visible()
    trade.work()
    assert [made["amount"] for made in trade.bank.books.listed("refund")] == [PRICE]
    page.goto(order)
    assert trade.get_pdf(page.get_by_role("link", name=re.compile("^Avoir")).first.get_attribute("href")).startswith(b"%PDF")


def be_paid(trade: Trade, time: time_machine.Coordinates, net: int) -> None:
    """Be paid on the next but one day, have the transfer come back, and be paid again ten days later."""
    page = trade.page
    fee = -trade.books()["commission"]
    for returned in (True, False):
        time.move_to(next_payout(clock.now() + timedelta(days=0 if not returned else 10)))
        trade.work()
        enter_payouts(trade)
        page.get_by_role("button", name=re.compile("Faire le fichier SEPA")).click()
        row = page.locator("tbody tr").first
        expect(row).to_contain_text("Renouveau")
        assert trade.books()["payout_transit"] == -net
        assert trade.hq.rows("select fee_cents, vat_cents from fee_invoice") == [{"fee_cents": fee, "vat_cents": fee // 5}]
        if returned:
            row.get_by_text("Revenu…").click()
            row.locator("[name=reason]").fill("compte clos")
            row.get_by_role("button", name="Revenu").click()
            assert trade.books()["seller_payable"] == -net
        else:
            row.get_by_role("button", name="Soldé").click()
            books = trade.books()
            assert ("seller_payable" not in books, books["bank"]) == (True, -net)


def enter_payouts(trade: Trade) -> None:
    page = trade.page
    trade.enter_console()
    page.goto(f"{trade.url}/console/payouts")
    if page.locator("[name=holder]").input_value() == "":
        page.locator("[name=holder]").fill("Comptoir SAS")
        page.locator("[name=iban]").fill("FR14 2004 1010 0505 0001 3M02 606")
        page.locator("form[action$='/account'] button").click()


def next_payout(after: datetime) -> datetime:
    """Return noon of the first day of payouts from a moment on."""
    day = after.replace(hour=12)
    while day.day not in PAYOUT_DAYS or day <= after:
        day += timedelta(days=1)
    return day
