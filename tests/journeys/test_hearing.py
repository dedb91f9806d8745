"""Somebody who sees nothing and touches nothing: by keys alone to a slip, told of every step."""

from __future__ import annotations

from urllib.parse import parse_qs

from playwright.sync_api import Page, Request, expect

from tests.journeys.conftest import System

MOST_TABS = 120
AT = "(selector) => document.activeElement.matches(selector)"
IS_SEEN = """() => {
  const at = document.activeElement;
  return at === document.body || parseFloat(getComputedStyle(at).outlineWidth) > 1 || at.matches(".search input");
}"""


def reach(page: Page, selector: str) -> None:
    """Go by Tab to the first of what a selector names; every stop on the way is seen."""
    expect(page.locator(selector).first).to_be_visible()
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        assert page.evaluate(IS_SEEN), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if page.evaluate(AT, selector):
            return
    raise AssertionError(f"{selector} is out of the keyboard's reach")


class Ear:
    """Hears what a page asks the box to say."""

    def __init__(self, page: Page) -> None:
        self.said: list[str] = []
        self.page = page
        page.on("request", self._hear)

    def _hear(self, request: Request) -> None:
        if request.url.endswith("/speech") and request.post_data:
            self.said.append(parse_qs(request.post_data)["text"][0])

    def expect(self, words: str, *, times: int = 1) -> None:
        """Wait until these words were said so many times."""
        for _ in range(120):
            if sum(words in each for each in self.said) >= times:
                return
            self.page.wait_for_timeout(250)
        raise AssertionError(f"never said {words!r}, but {self.said}")


def test_a_slip_by_keys_alone_told_of_every_step(page: Page, shared_system: System) -> None:
    ear = Ear(page)
    page.goto(shared_system.kiosk_url)
    page.keyboard.press("*")
    ear.expect("Déjà aimé. Prêt à resservir.")
    reach(page, ".poster")
    page.keyboard.press("Enter")
    ear.expect("Que cherchez-vous ?")
    page.keyboard.press("Tab")
    assert page.evaluate(AT, ".skip")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    for stop, address in (("a.spot", "**/sku/*"), ("#choose", "**/selections/*"), ("#issue", "**/slips/*")):
        reach(page, stop)
        page.keyboard.press("Enter")
        page.wait_for_url(address)
    ear.expect("lien.")
    ear.expect("Je choisis")
    ear.expect("Votre bon est prêt.")
    ear.expect(page.locator("#slip-number").inner_text())


def test_refusals_and_news_are_said_and_leaving_ends_the_voice(page: Page, shared_system: System) -> None:
    ear = Ear(page)
    page.goto(f"{shared_system.kiosk_url}/sku/NONE")
    page.keyboard.press("*")
    ear.expect("Rien à cette adresse.")
    for state in (0, 1):
        # A page that is not there is read again as a whole; a key pressed meanwhile is nobody's.
        with page.expect_navigation():
            page.keyboard.press("*")
        expect(page.locator("[data-speech=on]")).to_have_count(state)
    ear.expect("Rien à cette adresse.", times=2)
    page.keyboard.press("+")
    expect(page.locator("[data-volume='4']")).to_have_count(1)
    page.goto(f"{shared_system.kiosk_url}/home")
    page.keyboard.press("Tab")
    ear.expect("Aller au contenu")
    reach(page, "#ring")
    page.keyboard.press("Enter")
    ear.expect("Le comptoir est prévenu.")
    page.evaluate("document.getElementById('leave').requestSubmit()")

    expect(page.get_by_text("Touchez pour commencer")).to_be_visible()
    assert page.context.cookies() == []
    assert page.evaluate("document.documentElement.dataset.speech") is None
