"""The shop at home without a network: the last slip and the orders that were opened there, as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from marketplace.installation import replica_path
from tests.journeys.conftest import System
from tests.journeys.customers import Customer, Stand
from tests.journeys.steps import new_slip, order_url, slip_url
from tests.processes import Cable


@pytest.fixture
def home_cable(shared_system: System) -> Iterator[Cable]:
    """The network between a customer's phone and the marketplace."""
    with closing(Cable(int(shared_system.marketplace_url.rsplit(":", 1)[1]))) as cable:
        yield cable


@pytest.mark.parametrize("language", ["fr", "es"])
def test_the_last_slip_and_orders_open_without_a_network(
    page: Page, shared_system: System, home_cable: Cable, language: str
) -> None:
    home = f"http://127.0.0.1:{home_cable.port}"
    customer = Customer(page, Stand("shop", language), base=home, catalog=replica_path(shared_system.marketplace, "fr"))
    says = customer.says
    slips = [slip_url(shared_system, new_slip(page.context, shared_system)) for _ in range(2)]
    older, last = (urlsplit(url).path for url in slips)
    order = urlsplit(order_url(page.context, shared_system)).path
    customer.opens("/home")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")
    for path in (older, order, last):
        page.goto(home + path)
        page.wait_for_function("path => caches.open('pages').then((pages) => pages.match(path)).then(Boolean)", arg=path)

    home_cable.cut()
    page.goto(home + order)
    customer.reads(says("Sans réseau : voici cette page telle qu’elle était, rien n’y peut être fait."))
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("main form :enabled")).to_have_count(0)
    page.goto(f"{home}/browse?q=iphone")
    customer.heads(says("Vos pages gardées ici"))
    kept = page.get_by_role("list", name=says("Vos pages gardées ici")).get_by_role("link")
    expect(kept).to_have_count(2)
    kept.filter(has_text=says("Bon %(number)s", number="")).click()
    assert page.url.endswith(last), "an older slip is not kept"
    page.goto(f"{home}/away")
    page.get_by_role("button", name=says("Tout oublier sur cet appareil")).click()
    customer.reads(says("Rien n’est gardé sur cet appareil. Le reste de la boutique demande du réseau."))

    home_cable.mend()
    page.goto(home + order)
    expect(page.locator("#kept")).to_be_hidden()
