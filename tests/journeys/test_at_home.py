"""The shop at home without a network: the last slip and the orders that were opened there, as they were."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import System
from tests.journeys.steps import new_slip, order_url, slip_url
from tests.processes import Cable

PATIENCE_MS = 20_000


@pytest.fixture
def home_cable(shared_system: System) -> Iterator[Cable]:
    """The network between a customer's phone and the marketplace."""
    with closing(Cable(int(shared_system.marketplace_url.rsplit(":", 1)[1]))) as cable:
        yield cable


def test_the_last_slip_and_orders_open_without_a_network(page: Page, shared_system: System, home_cable: Cable) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.set_viewport_size({"width": 390, "height": 844})
    home = f"http://127.0.0.1:{home_cable.port}"
    slips = [slip_url(shared_system, new_slip(page.context, shared_system)) for _ in range(2)]
    older, last = (urlsplit(url).path for url in slips)
    order = urlsplit(order_url(page.context, shared_system)).path
    page.goto(f"{home}/home")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    for path in (older, order, last):
        page.goto(home + path)
        page.wait_for_function("path => caches.open('pages').then((pages) => pages.match(path)).then(Boolean)", arg=path)

    home_cable.cut()
    page.goto(home + order)
    expect(page.get_by_text("Sans réseau : voici cette page telle qu’elle était")).to_be_visible()
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("main form :enabled")).to_have_count(0)
    page.goto(f"{home}/browse?q=iphone")
    expect(page.get_by_role("heading", name="Vos pages gardées ici")).to_be_visible()
    expect(page.locator("#kept-pages a")).to_have_count(2)
    page.get_by_role("link", name=re.compile("^Bon ")).click()
    assert page.url.endswith(last), "an older slip is not kept"
    page.goto(f"{home}/away")
    page.get_by_role("button", name="Tout oublier sur cet appareil").click()
    expect(page.get_by_text("Rien n’est gardé sur cet appareil.")).to_be_visible()

    home_cable.mend()
    page.goto(home + order)
    expect(page.locator("#kept")).to_be_hidden()
