"""The kiosk in Arabic: the page is turned round, what is no text is not, and one touch turns it back."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

import templates
from kiosk.app import create_app
from pos.corners import store_corner
from pos.languages import translations
from tests import world

ARABIC = translations("shop", "ar", templates.PATH).gettext


@pytest.fixture
def address(kiosk: world.Kiosk) -> Iterator[str]:
    """A kiosk whose corner speaks Arabic first, then French."""
    with kiosk.ops_write() as ops:
        store_corner(ops, {**world.corner_document(), "languages": ["ar", "fr"]})
    app = create_app(kiosk.directory, sync=False)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()
    for store in (app.extensions["comptoir"].catalog, app.extensions["comptoir"].ops):
        store.close()


def middle(page: Page, selector: str) -> float:
    """Return how far from the left edge the middle of an element stands."""
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2


def test_a_page_in_arabic_is_mirrored_and_its_prices_and_drawings_are_not(page: Page, address: str) -> None:
    page.goto(f"{address}/browse")
    half = page.evaluate("innerWidth / 2")

    assert page.evaluate("[document.documentElement.lang, getComputedStyle(document.body).direction]") == ["ar", "rtl"]
    assert middle(page, ".mark") > half > middle(page, ".lang")
    expect(page.get_by_role("button", name=ARABIC("Chercher"))).to_be_visible()
    price = page.locator(".device .price").first
    expect(price).to_contain_text("\u2066")
    first, last = price.evaluate(
        """(price) => {
          const text = document.createTreeWalker(price, NodeFilter.SHOW_TEXT).nextNode();
          const place = (sign) => {
            const range = document.createRange();
            range.setStart(text, text.data.indexOf(sign));
            range.setEnd(text, text.data.indexOf(sign) + 1);
            return range.getBoundingClientRect().left;
          };
          return [place(text.data.match(/\\d/)[0]), place("€")];
        }"""
    )
    assert first < last, "figures before their sign, as on any price tag"
    assert page.locator(".device img, .device svg").first.evaluate("(drawing) => getComputedStyle(drawing).transform") == "none"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.goto(f"{address}/sku/IPHONE-13-128-BLUE?plan={world.SERIE_100}")
    expect(page.get_by_role("button", name=ARABIC("Je choisis"))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.get_by_role("button", name="Français").click()
    expect(page.get_by_role("button", name="Je choisis")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).direction") == "ltr"
    assert middle(page, ".mark") < half
