"""A screen in public, from the first touch to the wipe: it serves somebody who reads no French as they wish, and forgets them."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.journeys.conftest import System
from tests.journeys.customers import Stand, customer_at
from tests.journeys.test_hearing import Ear

WISHES = ("Tout plus bas", "Contraste fort", "Texte plus grand")


def test_a_stranger_is_served_as_they_wish_and_forgotten_when_they_go(page: Page, shared_system: System) -> None:
    customer, ear = customer_at(page, shared_system, Stand("kiosk", "de")), Ear(page)
    says = customer.says
    page.clock.install()
    customer.arrives()
    for wish in WISHES:
        page.get_by_role("button", name=says(wish)).click()
        expect(page.get_by_role("button", name=says(wish), pressed=True)).to_be_visible()
    customer.reads(says("Tout est à portée, en bas de l’écran."))
    page.get_by_role("searchbox", name=says("Rechercher")).tap()
    keys = page.get_by_role("group", name=says("Clavier à l’écran"))
    for letter in "pixel":
        keys.get_by_role("button", name=letter, exact=True).tap()
    keys.get_by_role("button", name=says("Valider")).tap()
    page.wait_for_url("**/browse?q=pixel**")
    expect(page.get_by_role("article").first).to_contain_text("Pixel")
    for is_on in (True, False):
        page.keyboard.press("*")
        expect(page.get_by_role("button", name=says("Lire à voix haute"), pressed=is_on)).to_be_visible()
        ear.expect(says("Parcourir"))
    page.get_by_role("button", name=says("Demander une personne")).click()
    customer.reads(says("Le comptoir est prévenu."))

    page.clock.run_for(95_000)
    asked = page.get_by_role("alertdialog")
    expect(asked).to_contain_text(
        says("Toujours là ? Tout s’efface dans <b>%(left)s</b> s.", left="").partition("<b>")[0].strip()
    )
    asked.get_by_role("button", name=says("Je continue")).click()
    expect(asked).to_be_hidden()
    page.clock.run_for(115_000)
    expect(page.get_by_text("Touchez pour commencer")).to_be_visible()
    assert page.context.cookies() == []
