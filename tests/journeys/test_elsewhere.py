"""Other markets and partners, which are data: a prepaid carrier's corner in Brooklyn, a brand's shop, a phone in New York."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from marketplace.installation import replica_path
from tests.journeys.conftest import System
from tests.journeys.corners import corner_of
from tests.journeys.customers import Customer, Stand, beginning
from tests.journeys.test_customers import PHONES, two_years


def test_a_corner_in_brooklyn_reckons_in_dollars_without_tax_and_promises_no_french_law(
    page: Page, shared_system: System, tmp_path: Path
) -> None:
    directory = tmp_path / "brooklyn"
    with corner_of(shared_system, directory, "brooklyn-atlantic") as address:
        for language in ("en", "es"):
            stand = Stand("kiosk", language)
            reckons_in_dollars(Customer(page, stand, base=address, catalog=directory / "catalog.db", currency="USD"))


def reckons_in_dollars(customer: Customer) -> None:
    """Choose a plan with a phone, and keep a number, as it is done there."""
    page, says = customer.page, customer.says
    customer.arrives()
    [sku, model, cents], *_ = customer.facts(f"select sku, model, from_cents {PHONES} order by from_cents")
    customer.opens(f"/sku/{sku}")
    customer.heads(model)
    page.get_by_text(says("Détail du prix et du grade")).click()
    customer.reads(customer.money(cents), says("Taxe de vente non comprise : elle dépend de l’adresse de livraison."))
    guarantee = customer.counted("Garantie légale de conformité : %(num)s an", "Garantie légale de conformité : %(num)s ans", 2)
    expect(page.get_by_text(guarantee)).to_have_count(0)
    plan = customer.plan("body ->> '$.commitment_months' = 0")
    customer.follows(customer.text(plan["name"]))
    total = customer.money(two_years(plan, cents))
    expect(page.get_by_role("definition").filter(has_text=total)).to_be_visible()
    customer.follows(says("Je garde mon numéro"))
    asked = says(
        "Pour garder votre numéro : demandez à votre opérateur votre numéro de compte et un PIN de transfert. "
        "Ils seront demandés à la commande, jamais ici."
    )
    customer.reads(asked)


def test_a_brand_s_shop_shows_its_kinds_alone_and_another_market_is_one_touch_away(page: Page, shared_system: System) -> None:
    home, replicas = shared_system.marketplace_url, {name: replica_path(shared_system.marketplace, name) for name in ("fr", "us")}
    customer = Customer(page, Stand("shop", "fr"), base=home, catalog=replicas["fr"])
    customer.opens("/p/manette-bleue")
    expect(page.get_by_role("link", name="Manette Bleue", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name=beginning(customer.kind("consoles")))).to_be_visible()
    expect(page.get_by_role("link", name=beginning(customer.kind("phones")))).to_have_count(0)
    customer.follows(customer.says("Toute la boutique Comptoir"))
    page.get_by_role("navigation", name=customer.says("Marché")).get_by_role("link", name="US").click()

    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("link", name="Español").click()
    stranger = Customer(page, Stand("shop", "es"), base=home, catalog=replicas["us"], currency="USD")
    expect(page.get_by_role("heading", level=1)).to_have_text(stranger.says("Déjà aimé. Prêt à resservir."))
    stranger.opens("/browse?category=phones&sort=price")
    least = stranger.fact("select min(from_cents) from shelf where category_id = 'phones'")
    expect(page.get_by_role("article").first).to_contain_text(stranger.money(least))
