"""Visits: what one customer does at a kiosk, what stays of it, and what the next one must never see."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.request import Request, urlopen

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Error, Page, expect

from pos.db import connect
from tests.journeys.conftest import System
from tests.journeys.steps import ask_for, enter_counter, first_sku, reprice, slip_url, sync
from tests.processes import PATIENCE_S

ATTRACT = "Touchez pour commencer"
LARGEST_PAGE_BYTES = 15_000


@pytest.fixture
def scriptless(browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[Page]:
    """A browser that runs no script at all."""
    context = browser.new_context(**browser_context_args, java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.fixture
def paperless(shared_system: System) -> Iterator[Callable[[], None]]:
    """A printer without paper, and the gesture that puts some in."""
    faults = shared_system.printer.faults

    def load() -> None:
        faults.paper_out = False

    faults.paper_out = True
    yield load
    load()


def test_the_main_job_needs_no_script(scriptless: Page, shared_system: System) -> None:
    page, papers = scriptless, len(shared_system.printer.papers())
    page.goto(shared_system.kiosk_url)
    page.get_by_text(ATTRACT).click()
    page.locator("#q").fill("iphone")
    page.get_by_role("button", name="Chercher").click()
    page.locator("select[name=sort]").select_option("-price")
    page.get_by_role("button", name="Appliquer").click()
    page.locator(".device a[href*='/sku/']").first.click()
    page.locator("a.rung:not(.on)").first.click()
    page.locator(".plan:not(.on)[id^='plan-']").first.click()
    page.locator("a.option").first.click()
    page.locator("#choose").click()
    page.get_by_role("link", name="Ajouter autre chose").click()
    page.locator("a.spot[href*='/sku/']").first.click()
    page.locator("#choose").click()
    expect(page.locator("li.line")).to_have_count(2)
    page.get_by_role("button", name="Enlever").last.click()
    expect(page.locator("li.line")).to_have_count(1)
    page.locator("#issue").click()
    number = page.locator("#slip-number").inner_text()
    page.locator("#print").click()

    expect_paper(page)
    assert len(shared_system.printer.papers()) == papers + 1
    assert number in newest_paper(shared_system)
    page.locator("#finish").click()
    expect(page.get_by_text(ATTRACT)).to_be_visible()


def test_a_quiet_minute_is_warned_of_and_a_touch_keeps_everything(page: Page, shared_system: System) -> None:
    page.clock.install()
    address = choose(page, shared_system)
    page.clock.run_for(85_000)
    expect(page.get_by_role("alertdialog")).to_be_hidden()

    page.clock.run_for(8_000)
    expect(page.get_by_role("alertdialog")).to_be_visible()
    assert 10 < int(page.locator("#idle p b").inner_text()) <= 18
    page.clock.run_for(4_000)
    assert int(page.locator("#idle p b").inner_text()) <= 14
    page.get_by_role("button", name="Je continue").click()

    expect(page.get_by_role("alertdialog")).to_be_hidden()
    page.clock.run_for(60_000)
    assert page.url == address
    expect(page.locator("li.line")).to_have_count(1)
    assert page.request.get(address).ok


def test_who_goes_away_without_a_word_leaves_nothing(page: Page, shared_system: System) -> None:
    page.clock.install()
    address = choose(page, shared_system)
    page.clock.run_for(115_000)

    expect(page.get_by_text(ATTRACT)).to_be_visible()
    assert page.request.get(address).status == 404
    shows_nothing_behind(page, shared_system)


def test_who_says_they_are_done_leaves_only_a_slip_that_holds(page: Page, shared_system: System) -> None:
    address = choose(page, shared_system)
    ask_for(page, "English")
    slip = issue_by_touch(page)
    page.get_by_role("button", name="Finish and wipe").click()

    expect(page.get_by_text(ATTRACT)).to_be_visible()
    assert page.request.get(address).status == 404
    shows_nothing_behind(page, shared_system)
    page.goto(slip_url(shared_system, slip))
    expect(page.get_by_text("Valable jusqu’au")).to_be_visible()


def test_back_leads_to_the_page_before_as_it_was(page: Page, shared_system: System) -> None:
    """The screen has no keys, and the browser shows nothing of its own: the way back stands on the page."""
    page.goto(shared_system.kiosk_url)
    expect(page.locator("#back")).to_have_count(0)
    page.get_by_text(ATTRACT).click()
    page.locator("a.kind[href*='category=phones']").click()
    page.locator("#max").press("PageDown")
    page.wait_for_url("**max=**")
    narrowed = page.url
    page.locator(".device > a").first.click()
    page.locator("#choose").click()
    page.wait_for_url("**/selections/*")
    address = page.url
    page.locator("#back").click()
    expect(page.locator("#choose")).to_be_visible()
    page.go_forward()
    expect(page.locator("li.line")).to_have_count(1)
    assert page.url == address

    page.locator("#back").click()
    expect(page.get_by_role("link", name="Ma sélection")).to_be_visible()
    page.locator("[name=listing]").evaluate("each => { each.value = '999999'; }")
    page.locator("#choose").click()
    expect(page.locator(".problem")).to_be_visible()
    page.locator("#back").click()
    expect(page.locator("#choose")).to_be_visible()
    page.locator("#back").click()
    page.wait_for_url(f"{narrowed}&s=*")
    assert page.locator("#max").evaluate("each => Number(each.value) < each.max")
    page.locator(".device > a").nth(1).click()
    page.locator("#choose").click()
    expect(page.locator("li.line")).to_have_count(2)
    assert page.url == address


@pytest.mark.parametrize(
    "path", ["/home", "/browse", "/browse?sort=-price", "/sku/IPHONE-13-128-BLUE?plan=3", "/finder", "/plans"]
)
def test_a_page_weighs_little_once_its_files_are_there(shared_system: System, path: str) -> None:
    for door in (shared_system.kiosk_url, shared_system.marketplace_url):
        asked = Request(door + path, headers={"Accept-Encoding": "gzip", "Accept-Language": "fr"})
        with urlopen(asked) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert len(answer.read()) <= LARGEST_PAGE_BYTES, door


def test_two_tabs_never_mix(page: Page, shared_system: System) -> None:
    other = page.context.new_page()
    page.goto(f"{shared_system.kiosk_url}/sku/{first_sku(page.context, shared_system, 'phones')}")
    other.goto(f"{shared_system.kiosk_url}/sku/{first_sku(page.context, shared_system, 'vacuums')}")
    for each in (page, other):
        each.locator("#choose").click()
    for each in (page, other):
        each.get_by_role("link", name="Ajouter autre chose").click()
    page.goto(f"{page.url.replace('/home', '/browse')}&category=consoles")
    other.get_by_role("link", name="Un forfait seul").click()
    page.locator(".device a[href*='/sku/']").first.click()
    page.locator("#choose").click()
    other.get_by_role("button", name="Je choisis").first.click()
    for each in (page, other):
        expect(each.locator("li.line")).to_have_count(2)
    slips = [facts_of(shared_system, issue_by_touch(each)) for each in (page, other)]

    kinds = [[line["listing"] and line["listing"]["category_id"] for line in slip["lines"]] for slip in slips]
    assert kinds == [["phones", "consoles"], ["vacuums", None]]


@pytest.mark.parametrize("browser_page", ["page", "scriptless"])
def test_two_quick_taps_make_one_slip(request: pytest.FixtureRequest, shared_system: System, browser_page: str) -> None:
    page: Page = request.getfixturevalue(browser_page)
    address = choose(page, shared_system)
    page.locator("#issue").dblclick()
    # Without scripts the second tap cuts the first answer short, so what counts is where the browser comes to rest.
    expect(page.locator("#slip-number")).to_be_visible()
    page.wait_for_load_state()

    assert count_slips(shared_system, address) == 1


def test_a_price_that_moved_before_the_choice_is_said_and_one_tap_takes_it(page: Page, system: System) -> None:
    page.goto(f"{system.kiosk_url}/sku/{first_sku(page.context, system, 'phones')}")
    listing, seen = (int(page.locator(f"[name={name}]").input_value()) for name in ("listing", "seen"))
    reprice(system, listing, by_cents=-1100)
    page.locator("#choose").click()

    expect(page.get_by_role("heading", name="Le prix vient de changer.")).to_be_visible()
    expect(page.locator("main")).to_contain_text(f"Il était à {euros(seen)}")
    page.get_by_role("button", name=f"Prendre à {euros(seen - 1100)}").click()
    slip = facts_of(system, issue_by_touch(page))

    assert [line["listing"]["all_in_cents"] for line in slip["lines"]] == [seen - 1100]


def test_a_price_that_moved_before_the_slip_is_said_and_one_tap_takes_it(page: Page, system: System) -> None:
    address = choose(page, system, category="phones")
    listing, seen = recorded_line(system, address)
    reprice(system, listing, by_cents=900)
    page.locator("#issue").click()

    expect(page.get_by_role("heading", name="Le prix vient de changer.")).to_be_visible()
    expect(page.locator("main")).to_contain_text(f"il est à {euros(seen + 900)} maintenant")
    assert count_slips(system, address) == 0
    page.get_by_role("button", name=f"Prendre à {euros(seen + 900)}").click()
    expect(page.get_by_text("Son prix a changé")).to_be_hidden()
    slip = facts_of(system, issue_by_touch(page))

    assert [line["listing"]["all_in_cents"] for line in slip["lines"]] == [seen + 900]


def test_a_printer_without_paper_is_said_and_the_slip_is_whole(
    page: Page, shared_system: System, paperless: Callable[[], None]
) -> None:
    papers = len(shared_system.printer.papers())
    choose(page, shared_system)
    slip = issue_by_touch(page)
    expect(page.locator(".printer")).to_contain_text("L’imprimante n’a plus de papier.")
    page.locator("#print").click()
    expect(page.locator("#paper")).to_contain_text("Sortira dès que l’imprimante sera prête")
    expect(page.locator(".printer")).to_contain_text("Le code à l’écran suffit")
    assert len(shared_system.printer.papers()) == papers

    paperless()
    expect_paper(page)
    assert len(shared_system.printer.papers()) == papers + 1
    assert "DUPLICATA" not in newest_paper(shared_system)
    assert qr_on_paper(shared_system) == slip_url(shared_system, slip)


def test_the_counter_says_in_words_what_a_printer_lacks(page: Page, shared_system: System, paperless: Callable[[], None]) -> None:
    enter_counter(page, shared_system)

    expect(page.locator(".states")).to_contain_text("Elle demande une intervention : plus de papier.")


def test_the_places_of_the_table_stand_in_rows(page: Page, shared_system: System) -> None:
    enter_counter(page, shared_system)
    page.goto(f"{shared_system.kiosk_url}/counter/table")
    tops = page.locator(".demo-spot").evaluate_all("all => all.map((each) => each.getBoundingClientRect().top)")

    assert len(tops) > 6
    assert tops[0] == tops[1]
    assert len(set(tops)) <= len(tops) // 2


def test_a_reprint_is_a_duplicate_of_the_same_code_and_a_void_is_said_everywhere(page: Page, shared_system: System) -> None:
    choose(page, shared_system)
    slip = issue_by_touch(page)
    page.locator("#print").click()
    expect_paper(page)
    original = qr_on_paper(shared_system)
    enter_counter(page, shared_system)
    page.locator("#find").fill(slip.rsplit("/", 1)[-1].lower())
    page.get_by_role("button", name="Trouver").click()
    page.locator("#reprint").click()
    expect(page.get_by_text("duplicata 1")).to_be_visible()

    assert "DUPLICATA 1" in newest_paper(shared_system)
    assert qr_on_paper(shared_system) == original == slip_url(shared_system, slip)

    page.locator("#reason").select_option("customer_request")
    page.locator("#void").click()
    expect(page.get_by_text("Annulé le")).to_be_visible()
    page.goto(f"{shared_system.kiosk_url}{slip}")
    expect(page.get_by_role("heading", name="Ce bon est annulé.")).to_be_visible()
    expect(page.locator("#print")).to_be_hidden()
    sync(shared_system)
    page.goto(original)
    expect(page.get_by_role("heading", name="Ce bon a été annulé.")).to_be_visible()
    expect(page.locator("form[action$='/claim']")).to_be_hidden()


def choose(page: Page, system: System, category: str | None = None) -> str:
    """Walk from the attract screen to a selection, and return its address."""
    page.goto(system.kiosk_url)
    page.get_by_text(ATTRACT).click()
    if category is None:
        page.locator("a.spot").first.click()
    else:
        page.locator(f"a.kind[href*='category={category}']").click()
        page.locator(".device a[href*='/sku/']").first.click()
    page.locator("#choose").click()
    page.wait_for_url("**/selections/*")
    return page.url


def issue_by_touch(page: Page) -> str:
    """Tap "my slip" and return the slip's path."""
    page.locator("#issue").click()
    page.wait_for_url("**/slips/*")
    return "/slips/" + page.locator("#slip-number").inner_text()


def shows_nothing_behind(page: Page, system: System) -> None:
    """Go back as far as the browser goes, and forward again: every page shown is the attract screen."""
    steps = [page.go_back] * 12
    while steps:
        # The page gone back to gives way to the attract screen before it is there: that ends the wait for it.
        with suppress(Error):
            steps.pop()(wait_until="commit")
        if page.url == "about:blank":
            steps = [page.go_forward] * 2
            continue
        expect(page.get_by_text(ATTRACT)).to_be_visible()
        assert page.url == f"{system.kiosk_url}/"


def expect_paper(page: Page) -> None:
    """Wait until the printer has confirmed; a page without scripts is loaded again, as its customer would."""
    confirmed = page.get_by_text("L’imprimante confirme")
    for _ in range(20):
        if confirmed.count():
            return
        page.wait_for_timeout(250)
        if page.get_by_text("Impression en cours").count():
            page.reload()
    expect(confirmed).to_be_visible()


def newest_paper(system: System) -> str:
    papers = system.printer.papers()
    assert papers[max(papers)].errors == ()
    return papers[max(papers)].text


def qr_on_paper(system: System) -> str:
    """Return what a phone's camera reads on the newest paper."""
    with urlopen(f"{system.paper_url}/latest.png", timeout=PATIENCE_S) as response:
        [code] = zxingcpp.read_barcodes(Image.open(io.BytesIO(response.read())))
    return str(code.text)


def recorded_line(system: System, address: str) -> tuple[int, int]:
    """Return the listing of a selection's only line, and its price as the customer saw it."""
    [row] = query(system, "select listing_id, seen_cents from selection_line where selection_id = ?", address)
    return int(row[0]), int(row[1])


def count_slips(system: System, address: str) -> int:
    [row] = query(system, "select count(*) from slip where selection_id = ?", address)
    return int(row[0])


def facts_of(system: System, slip: str) -> dict[str, Any]:
    [row] = query(system, "select facts from slip where number = ?", slip)
    facts: dict[str, Any] = json.loads(row[0])
    return facts


def query(system: System, sql: str, address: str) -> list[tuple[Any, ...]]:
    """Ask the kiosk's records about what an address ends with."""
    ops = connect(system.kiosk / "ops.db", durable=True)
    rows = ops.execute(sql, [re.split(r"[/?#]", address.split("/", 3)[-1])[-1]]).fetchall()
    ops.close()
    return list(rows)


def euros(cents: int) -> str:
    """Return an amount as a French page says it, its thousands apart."""
    return f"{cents // 100:,}".replace(",", "\u202f") + f",{cents % 100:02d}\u00a0€"
