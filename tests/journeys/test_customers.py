"""What a customer does alone, at both doors, in French and in another language: finds, asks, compares, understands, chooses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from pos.locales import LOCALES
from shop.languages import sentences_of
from tests.journeys.conftest import System
from tests.journeys.customers import Customer, Stand, beginning, customer_at
from tests.journeys.test_helping import scan
from tests.journeys.test_table import codes

STANDS = [Stand("kiosk", "fr"), Stand("kiosk", "de"), Stand("shop", "fr"), Stand("shop", "es")]
FROM_RIGHT_TO_LEFT = [Stand("kiosk", "ar"), Stand("shop", "ar")]
PHONES = "from shelf join sku using (sku_id) where shelf.category_id = 'phones'"
REALLY = "Ce que cela coûte vraiment en %(num)s mois"
DEVICE, OPEN_TO_ALL, MONTHS = "IPHONE-13-128-BLUE", 3, 24


@pytest.fixture(params=STANDS, ids=str)
def customer(request: pytest.FixtureRequest, page: Page, shared_system: System) -> Customer:
    """Somebody at each door, who reads French or another language; a test may ask for others."""
    return customer_at(page, shared_system, request.param)


def test_a_list_is_narrowed_by_counts_that_hold_and_codes_open_devices(customer: Customer, shared_system: System) -> None:
    page, says, fact = customer.page, customer.says, customer.fact
    customer.arrives()
    if customer.stand.door == "kiosk":
        touch_the_table(customer, shared_system)
    customer.follows(customer.kind("phones"))
    apples = fact(f"select count(*) {PHONES} and shelf.brand = 'Apple'")
    page.locator("summary").get_by_text(says("Marque"), exact=True).click()
    apple = page.get_by_role("checkbox", name=f"Apple {customer.number(apples)}", exact=True)
    apple.press("Space")
    lists(customer, apples)
    expect(apple).to_be_focused()

    slider = page.get_by_role("slider", name=says("Prix, jusqu’à"))
    slider.press("PageDown")
    page.wait_for_url("**max=**")
    expect(slider).to_be_focused()
    most = int(customer.asked("max")) * 100
    lists(customer, fact(f"select count(*) {PHONES} and shelf.brand = 'Apple' and from_cents <= ?", most))
    page.get_by_role("combobox", name=says("Trier")).select_option(label=says("Prix croissant"))
    page.wait_for_url("**sort=price**")
    least = fact(f"select min(from_cents) {PHONES} and shelf.brand = 'Apple'")
    expect(page.get_by_role("article").first).to_contain_text(customer.money(least))
    chosen = says("jusqu’à %(price)s", price=customer.short(most))
    page.get_by_role("link", name=says("Enlever : %(chosen)s", chosen=chosen), exact=True).click()
    lists(customer, apples)

    [[ean, model]] = customer.facts(
        "select sku.body ->> '$.ean', model from shelf join sku using (sku_id) where shelf.category_id = 'consoles' limit 1"
    )
    page.get_by_role("searchbox", name=says("Rechercher")).fill(str(ean))
    page.wait_for_url("**/sku/*")
    customer.heads(model)


def touch_the_table(customer: Customer, system: System) -> None:
    """See the devices of the table with their prices, and scan the tag of one."""
    page = customer.page
    customer.reads(customer.says("Sur cette table"))
    [[model, cents]] = customer.facts("select model, from_cents from sku join shelf using (sku_id) where sku = ?", DEVICE)
    expect(page.get_by_role("link", name=re.compile(rf"^A1 {model}"))).to_contain_text(customer.money(cents))
    tags, _ = codes(system)
    page.wait_for_load_state()
    scan(page, tags["A1"])
    page.wait_for_url("**/sku/*")
    customer.heads(model)
    page.go_back()


def lists(customer: Customer, skus: int) -> None:
    """Wait until the list says that it holds so many devices."""
    told = customer.counted("%(skus)s appareil", "%(skus)s appareils", skus, skus=customer.number(skus))
    expect(customer.page.get_by_role("status").filter(has_text=re.compile(rf"^\s*{re.escape(told)}\s*$"))).to_be_visible()


def write(field: Locator, text: str) -> None:
    """Write into a field and send it."""
    field.fill(text)
    field.press("Enter")


SENTENCES = {
    "fr": ("un téléphone à grand écran, moins de 600 €, pas d’Apple, qui vole", "vole", "iPhone 13 à moins de 20 €"),
    "de": ("ein Handy mit großem Display, unter 600 €, kein Apple, das fliegt", "fliegt", "iPhone 13 unter 20 €"),
    "es": ("un móvil con pantalla grande, menos de 600 €, sin Apple, que vuela", "vuela", "iPhone 13 por menos de 20 €"),
}
"""A sentence, the word of it that no shop understands, and a sentence that nothing answers."""


def test_a_sentence_becomes_criteria_and_what_stands_in_the_way_is_named(customer: Customer) -> None:
    page, says, fact = customer.page, customer.says, customer.fact
    sentence, unknown, impossible = SENTENCES[customer.stand.language]
    said = page.get_by_role("searchbox", name=says("Ce que vous cherchez, en une phrase"))
    customer.opens("/home")
    customer.follows(says("Dire ce que vous cherchez en une phrase"))
    write(said, sentence)

    within = f"{PHONES} and from_cents <= 60000"
    holds(customer, fact(f"select count(*) {within} and shelf.brand <> 'Apple'"))
    expect(page.get_by_role("definition").filter(has_text=unknown)).to_have_count(1)
    for criterion in (says("grand écran"), says("%(price)s au plus", price=customer.short(60000))):
        expect(page.get_by_role("link", name=beginning(criterion))).to_have_count(1)
    best = page.get_by_role("article").first
    shown = best.get_by_role("link").get_attribute("href") or ""
    [[brand, cents]] = customer.facts("select sku.brand, from_cents from shelf join sku using (sku_id) where sku = ?", shown[5:])
    assert brand != "Apple"
    expect(best).to_contain_text(customer.money(cents))
    customer.follows(says("sans %(name)s", name="Apple"))
    holds(customer, fact(f"select count(*) {within}"))

    page.get_by_text(says("Modifier la phrase")).click()
    write(said, impossible)
    least = fact(f"select min(from_cents) {PHONES} and model = 'iPhone 13'")
    customer.reads(says("Rien ne tient tout à la fois. Un seul critère à desserrer :"))
    customer.follows(says("Passer à %(price)s", price=customer.short(least)))
    expect(page.get_by_role("article").first).to_contain_text(customer.money(least))

    customer.opens("/finder")
    page.get_by_role("radio", name=customer.kind("phones"), exact=True).check()
    page.get_by_role("radio", name=says("%(price)s au plus", price=customer.short(25000))).check()
    page.get_by_role("checkbox", name=says("léger")).check()
    page.get_by_role("button", name=says("Trouver"), exact=True).last.click()
    holds(customer, fact(f"select count(*) {PHONES} and from_cents <= 25000"))


def holds(customer: Customer, skus: int) -> None:
    """Wait until the finder says that so many devices hold all that must be."""
    one, many = "%(skus)s référence tient l’indispensable", "%(skus)s références tiennent l’indispensable"
    customer.reads(customer.counted(one, many, skus, skus=customer.number(skus)))


def test_four_devices_are_told_apart_by_what_is_measured_and_reckoned_over_two_years(customer: Customer) -> None:
    page, says = customer.page, customer.says
    customer.opens("/browse?category=phones&sort=new")
    boxes = page.get_by_role("checkbox", name=beginning(says("Comparer")))
    listed = boxes.evaluate_all("all => all.map((each) => each.value)")
    four = different(customer, listed)
    for sku in four:
        boxes.nth(listed.index(sku)).check()
    page.get_by_role("combobox", name=says("Trier")).select_option(label=says("Prix croissant"))
    page.wait_for_url("**sort=price**")
    ticked, fifth = page.locator(".results :checked"), page.locator(".device :not(:checked)[name=sku]").first
    expect(ticked).to_have_count(4)
    fifth.click()
    expect(page.locator("#trouble")).to_have_text(says("De deux à quatre appareils, côte à côte."))
    expect(ticked).to_have_count(4)
    page.get_by_role("button", name=says("Comparer")).click()

    tops = page.get_by_role("columnheader")
    expect(tops.filter(has=page.get_by_role("link"))).to_have_count(4)
    for model, cents in four.values():
        expect(tops.filter(has_text=model).filter(has_text=customer.money(cents))).to_have_count(1)
    (cheapest, least), (_, next_least), *_, (dearest, _) = sorted(four.values(), key=lambda each: each[1])
    gap = customer.short(next_least - least)
    customer.reads(says("Le prix le plus bas : %(name)s, %(gap)s de moins que le suivant.", name=cheapest, gap=gap))
    expect(tops.filter(has_text=says("le moins cher"))).to_contain_text(customer.money(least))

    [[grade, grade_id]] = customer.facts("select body ->> '$.name', grade_id from grade where body ->> '$.code' = 'GOOD'")
    customer.follows(customer.text(grade))
    page.wait_for_url("**grade=GOOD**")
    for sku in four:
        offered = customer.facts(
            "select all_in_cents from offer join sku using (sku_id) where sku = ? and grade_id = ?", sku, grade_id
        )
        price = customer.money(offered[0][0]) if offered else says("Pas d’offre dans ce grade")
        expect(tops.filter(has_text=four[sku][0])).to_contain_text(price)
    customer.follows(says("Au plus bas prix"))

    plan = customer.plan("plan_id = ?", OPEN_TO_ALL)
    customer.follows(customer.text(plan["name"]))
    total = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=says("En tout, avec ce forfait"), exact=True))
    for _, cents in four.values():
        expect(total).to_contain_text(customer.money(two_years(plan, cents)))
    customer.follows(f"{says('Retirer')} {dearest}")
    expect(tops.filter(has=page.get_by_role("link"))).to_have_count(3)
    customer.follows(says("Ajouter un appareil"))
    write(page.get_by_role("searchbox", name=says("Quel appareil ?")), "playstation 5")
    customer.follows("PlayStation 5")
    expect(tops.filter(has=page.get_by_role("link"))).to_have_count(4)
    customer.follows(f"{says('Voir')} {cheapest}")
    customer.heads(cheapest)


def different(customer: Customer, listed: list[str]) -> dict[str, tuple[str, int]]:
    """Return four of these devices, each another model at another price: name and price by code."""
    four: dict[str, tuple[str, int]] = {}
    for sku in listed:
        [[model, cents]] = customer.facts("select model, from_cents from sku join shelf using (sku_id) where sku = ?", sku)
        if len(four) < 4 and not any(model in name or name in model or cents == price for name, price in four.values()):
            four[sku] = (model, cents)
    assert len(four) == 4
    return four


def two_years(plan: dict[str, Any], device_cents: int) -> int:
    """Return what a device with a plan costs over 24 months, whenever it is settled."""
    is_helped = device_cents >= plan["min_device_cents"]
    months = [plan["promo_monthly_cents"]] * plan["promo_months"] + [plan["monthly_cents"]] * MONTHS
    return device_cents - is_helped * plan["device_discount_cents"] + plan["activation_cents"] + sum(months[:MONTHS])


CANDIDATES = """
select seller.body ->> '$.name', quality_bp, coalesce(price_now.price_cents, listing.price_cents) + shipping_cents as cents,
  delivery_days, seller_id, listing_id
from listing join stock using (listing_id) join seller using (seller_id) join grade using (grade_id)
left join price_now using (listing_id)
where sku_id = (select sku_id from sku where sku = ?) and grade_id = ? and quantity > 0 and suspended = 0
  and coalesce(battery_pct, 100) >= coalesce(grade.body ->> '$.battery_min_pct', 0)
"""


def candidates(customer: Customer, grade_id: int) -> list[tuple[Any, ...]]:
    """Return whoever sells the device in a grade, the best quality for the price first."""
    rows = customer.facts(CANDIDATES, DEVICE, grade_id)
    return sorted(rows, key=lambda row: (-(row[1] * 1_000_000 // row[2]), *row[2:]))


@pytest.mark.parametrize("customer", [*STANDS, *FROM_RIGHT_TO_LEFT], ids=str, indirect=True)
def test_what_a_device_costs_why_and_what_it_is_are_read_down_to_the_slip_or_order(
    customer: Customer, shared_system: System
) -> None:
    page, says = customer.page, customer.says
    grades = customer.facts("select body ->> '$.name', body ->> '$.code', grade_id from grade order by rank")
    name, code, grade_id = max(grades, key=lambda grade: len(candidates(customer, grade[2])))
    (seller, quality_bp, cents, *_), one, two, *_ = candidates(customer, grade_id)
    customer.opens(f"/sku/{DEVICE}")
    chosen = page.get_by_role("heading", level=3, name=customer.text(name), exact=True)
    page.get_by_role("link").filter(has=chosen).click()
    page.wait_for_url(f"**grade={code}**")
    expect(page.get_by_role("link").filter(has=chosen)).to_contain_text(customer.money(cents))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    best = says("%(name)s, qualité %(quality)s sur 100", name=seller, quality=(quality_bp + 50) // 100)
    others = says(
        "Le meilleur rapport qualité-prix de ce grade ; les deux suivants sont à %(one)s et %(two)s.",
        one=customer.short(one[2]),
        two=customer.short(two[2]),
    )
    customer.reads(best, others)

    customer.follows(says("Historique du prix"))
    customer.heads(says("Historique du prix"))
    expect(page.get_by_role("row").filter(has_text=says("aujourd’hui"))).to_contain_text(customer.money(cents))
    page.go_back()
    customer.follows(says("À quoi ressemble chaque grade"))
    for each, *_ in grades:
        expect(page.get_by_role("heading", level=2, name=customer.text(each), exact=True)).to_be_visible()
    customer.follows(says("Comment ça marche"))
    customer.heads(says("Reconditionné, concrètement"))
    months = customer.fact("select body ->> '$.months' from law where kind = 'legal_guarantee'")
    one, many = "Garantie légale de conformité : %(num)s an", "Garantie légale de conformité : %(num)s ans"
    customer.reads(customer.counted(one, many, months // 12), says("Qui gagne quoi"))

    customer.opens(f"/sku/{DEVICE}?grade={code}")
    plan = customer.plan("body ->> '$.device_discount_cents' > 0 and body ->> '$.min_device_cents' <= ?", cents)
    total = customer.money(two_years(plan, cents))
    customer.follows(customer.text(plan["name"]))
    customer.reads(customer.counted(REALLY, REALLY, MONTHS))
    expect(page.get_by_role("definition").filter(has_text=total)).to_be_visible()
    page.get_by_role("button", name=says("Je choisis")).click()
    customer.heads(says("Ma sélection"))
    expect(page.get_by_role("definition").filter(has_text=total)).to_be_visible()
    (takes_a_slip if customer.stand.door == "kiosk" else goes_to_order)(customer, total, shared_system)


def takes_a_slip(customer: Customer, total: str, system: System) -> None:
    """Take a slip, and its paper, in French where a printer lacks the letters of the language."""
    page, says, language = customer.page, customer.says, customer.stand.language
    page.get_by_role("button", name=says("Mon bon")).click()
    customer.heads(says("Votre bon est prêt. Rien n’est encore commandé."))
    expect(page.get_by_role("definition").filter(has_text=total)).to_be_visible()
    customer.reads(says("Imprimante prête. Le papier n’est imprimé que si vous le demandez."))
    page.get_by_role("button", name=says("Imprimer le bon")).click()
    customer.reads(says("L’imprimante confirme : le papier est sorti."))
    papers = system.printer.papers()
    words = sentences_of("kiosk", language if LOCALES[language].is_printed else "fr")
    assert words.gettext("RÉCAPITULATIF DE SÉLECTION") in papers[max(papers)].text


def goes_to_order(customer: Customer, total: str, _system: System) -> None:
    """Go on to the order, which holds the same total."""
    customer.follows(customer.says("Commander"))
    customer.heads(customer.says("Votre sélection, prête à commander."))
    customer.reads(total)
