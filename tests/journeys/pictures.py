"""`make pictures`: take the pictures of README and docs from a running demo (`make demo`)."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path("docs/images")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SCREENS = {"kiosk": (1080, 1920, 0.5), "tablet": (800, 1280, 0.675), "phone": (390, 844, 1.0), "desktop": (1440, 900, 0.6)}
"""Width and height in CSS pixels, and how many pixels of a picture stand for one of them."""
COLOURS = 128
SEEN_IN_THE_ROUND, STEPS_SHOWN = 5, 4
SENTENCE = "un téléphone pour ma mère, grand écran, moins de 250 €, bonne batterie, pas d’Apple"


def main() -> None:
    """Take every picture, of the demo in the directory given."""
    access = json.loads((Path(sys.argv[1]) / "demo.json").read_text(encoding="utf-8"))
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        for take in (take_customers, take_wishes, take_counter, take_home, take_console):
            take(browser, access)
        browser.close()


def take_customers(browser: Browser, access: dict[str, Any]) -> None:
    """The kiosk as customers use it: home, list, device, grades, comparison, sentence, slip."""
    with screen(browser, "kiosk") as page:
        page.goto(f"{access['kiosk']}/home")
        keep(page, "home")
        page.goto(f"{access['kiosk']}/grades")
        keep(page, "grades")
        page.goto(f"{access['kiosk']}/browse?category=phones")
        page.locator("#facet-brand summary").click()
        page.locator("#brand-Apple").press("Space")
        page.wait_for_url("**&brand=Apple")
        page.locator("#max").press("PageDown")
        page.wait_for_url("**&max=*")
        keep(page, "browse")
        devices = hrefs(page, "/sku/")
        page.goto(access["kiosk"] + devices[0])
        page.locator("a[href*='plan=']").first.click()
        page.wait_for_load_state()
        keep(page, "sku")
        page.goto(f"{access['kiosk']}/compare?" + "&".join(f"sku={code(path)}" for path in devices[:3]))
        keep(page, "compare")
        page.goto(f"{access['kiosk']}/finder?{urlencode({'q': SENTENCE})}")
        keep(page, "finder")
        choose(page, access["kiosk"] + devices[0])
        page.locator("form[action$='/slip'] button").last.click()
        page.wait_for_url("**/slips/**")
        keep(page, "slip")
        page.locator("#print").click()
        page.get_by_text("L’imprimante confirme").wait_for()


def take_wishes(browser: Browser, access: dict[str, Any]) -> None:
    """The kiosk as somebody may wish to see it: low, large and in strong contrast, and from right to left."""
    for name, cookies in (("public", {"view": "contrast.reach.text"}), ("arabic", {"language": "ar"})):
        with screen(browser, "kiosk") as page:
            wishes = [{"name": cookie, "value": value, "url": access["kiosk"]} for cookie, value in cookies.items()]
            page.context.add_cookies(wishes)  # type: ignore[arg-type]
            page.goto(f"{access['kiosk']}/home")
            keep(page, name)


def take_counter(browser: Browser, access: dict[str, Any]) -> None:
    """The counter on a tablet: who waits, a round of the table, labels."""
    with screen(browser, "kiosk") as customer, screen(browser, "tablet") as page:
        customer.goto(f"{access['kiosk']}/browse?category=phones")
        choose(customer, access["kiosk"] + hrefs(customer, "/sku/")[1])
        page.goto(f"{access['kiosk']}/counter/session")
        page.locator("input[name=clerk]").first.check(force=True)
        page.fill("#pin", access["clerk_pin"])
        page.click("#log-in")
        page.wait_for_url("**/counter/")
        keep(page, "help")
        page.goto(f"{access['kiosk']}/counter/table")
        begin = page.get_by_role("button", name="Tour d’ouverture")
        if begin.count():
            begin.click()
            for _ in range(SEEN_IN_THE_ROUND):
                page.locator(".thumb.next", has_text="À sa place").click()
                page.wait_for_load_state("networkidle")
        keep(page, "round")
        page.goto(f"{access['kiosk']}/counter/labels")
        keep(page, "labels")


def take_home(browser: Browser, access: dict[str, Any]) -> None:
    """The shop at home, on a desktop and a phone, an offer's past prices, another market, what is kept, and a seller's desk."""
    for name in ("desktop", "phone"):
        with screen(browser, name) as page:
            page.goto(f"{access['marketplace']}/home")
            keep(page, f"shop-{name}")
    with screen(browser, "phone") as page:
        page.goto(f"{access['marketplace']}/browse?category=phones")
        for device in hrefs(page, "/sku/"):
            page.goto(f"{access['marketplace']}/sku/{code(device)}/prices")
            if page.locator("table.past tbody tr").count() >= STEPS_SHOWN:
                break
        keep(page, "prices")
    with screen(browser, "phone") as page:
        page.goto(f"{access['marketplace']}/browse?market=us&category=phones")
        page.goto(f"{access['marketplace']}{hrefs(page, '/sku/')[0]}")
        page.get_by_role("heading", level=3).first.scroll_into_view_if_needed()
        keep(page, "market", is_at_top=False)
    with screen(browser, "phone") as page:
        [code_on_paper] = zxingcpp.read_barcodes(Image.open(io.BytesIO(page.request.get(f"{access['paper']}/latest.png").body())))
        slip = code_on_paper.text
        page.goto(f"{access['marketplace']}/home")
        page.wait_for_function("() => navigator.serviceWorker.controller !== null")
        page.goto(slip)
        page.wait_for_function(
            "path => caches.open('pages').then((pages) => pages.match(path)).then(Boolean)", arg=urlsplit(slip).path
        )
        page.context.set_offline(True)
        page.goto(slip)
        keep(page, "away")
    with screen(browser, "desktop") as page:
        seller = access["sellers"][0]
        page.goto(f"{access['marketplace']}/seller/login")
        page.fill("[name=email]", seller["email"])
        page.fill("[name=password]", seller["password"])
        page.locator("main form button").last.click()
        page.wait_for_load_state()
        keep(page, "seller")


def take_console(browser: Browser, access: dict[str, Any]) -> None:
    """HQ's console: the fleet."""
    with screen(browser, "desktop") as page:
        page.goto(f"{access['marketplace']}/console/login")
        page.fill("[name=password]", access["console_password"])
        page.locator("main form button").last.click()
        page.wait_for_load_state()
        page.goto(f"{access['marketplace']}/console/fleet")
        keep(page, "fleet")


@contextmanager
def screen(browser: Browser, name: str) -> Iterator[Page]:
    """Give a page on one of the screens, in French and by daylight, without motion."""
    width, height, scale = SCREENS[name]
    context = browser.new_context(
        viewport={"width": width, "height": height}, device_scale_factor=scale, locale="fr-FR", reduced_motion="reduce"
    )
    yield context.new_page()
    context.close()


def choose(page: Page, address: str) -> None:
    """Put a device into a selection, as its page offers it."""
    page.goto(address)
    page.locator("form[action$='/lines'] button, form[action='/selections'] button").last.click()
    page.wait_for_url("**/selections/**")


def keep(page: Page, name: str, *, is_at_top: bool = True) -> None:
    """Write what the screen shows as `docs/images/<name>.png`, in few colours."""
    page.wait_for_load_state("networkidle")
    page.evaluate(f"scrollTo(0, {0 if is_at_top else 'scrollY'}), document.fonts.ready.then(() => null)")
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(COLOURS).save(IMAGES / f"{name}.png", optimize=True)


def hrefs(page: Page, start: str) -> list[str]:
    """Return the addresses on a page that begin so, each once, in order."""

    found = page.locator(f"a[href^='{start}']").evaluate_all("all => all.map((each) => each.getAttribute('href'))")
    return list(dict.fromkeys(found))


def code(path: str) -> str:
    """Return the SKU in the address of a device's page."""
    return path.removeprefix("/sku/").partition("?")[0]


if __name__ == "__main__":
    main()
