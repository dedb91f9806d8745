"""Germany and Spain in their own language, from the table to the order, and a console brand's corner in French.

What a stranger there must read is written out here, word for word: sums as they are written there, the law of the country with
its articles, and nothing of France's.
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from marketplace.installation import replica_path
from pos import tokens
from pos.db import connect
from tests.journeys.conftest import System
from tests.journeys.corners import corner_of
from tests.journeys.customers import GLASS, Customer, Stand
from tests.journeys.test_customers import PHONES

AMOUNT = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3})*(?:,\d{2})?\u00a0€")
FRANCE_S = re.compile(
    r"\bRIO\b|3179|\bL\.? ?\d{3}-\d|\bTVA\b|Crébillon|Loire Mobile|Comptoir Maison|Privatkopie|copia privada|französisch|francés"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """A market, its corner, and what is read there: of languages, of a device, of a plan that binds, of what comes after."""

    market: str
    corner: str
    partner: str
    languages: list[str]
    device: tuple[str, ...]
    plan: tuple[str, ...]
    tax: str
    keeping: str
    slip: str
    button: str
    unpaid: str
    ordered: str
    contact: dict[str, str]


COUNTRIES = [
    Country(
        market="de",
        corner="berlin-torstrasse",
        partner="Havelfunk",
        languages=["Deutsch", "English", "العربية"],
        device=("Gesetzliche Gewährleistung: 2 Jahre", "14 Tage Zeit, es sich anders zu überlegen"),
        plan=(
            "Mindestvertragslaufzeit 24 Monate",
            "Nach der Mindestvertragslaufzeit ist der Tarif jederzeit kündbar, mit einer Frist von einem Monat. "
            "(TKG § 56 Abs. 3)",
        ),
        tax=r"Inkl\. MwSt\.|Differenzbesteuert, MwSt\. nicht abziehbar\. \(§ 25a UStG\)",
        keeping="Um Ihre Nummer zu behalten: Sie wird bei der Bestellung abgefragt, nie hier.",
        slip="Bestellen Sie online. Lieferung nach Hause, 14 Tage, um es sich anders zu überlegen.",
        button="Zahlungspflichtig bestellen",
        unpaid="Sie haben nach der Lieferung 14 Tage Zeit, es sich anders zu überlegen.",
        ordered="Vertrag hier widerrufen",
        contact={"name": "Jonas Krüger", "email": "jonas@example.org", "address": "Torstraße 12\n10119 Berlin"},
    ),
    Country(
        market="es",
        corner="madrid-fuencarral",
        partner="Brisa Móvil",
        languages=["Español", "English", "Français"],
        device=("Garantía legal de conformidad: 3 años", "14 días para cambiar de opinión"),
        plan=(
            "permanencia de 24 meses",
            "Darse de baja antes de acabar la permanencia cuesta, como máximo, en proporción a los días que falten. "
            "(RDL 1/2007, art. 74.4)",
        ),
        tax=r"IVA incluido\.|IVA sobre el margen, no deducible\. \(Ley 37/1992, arts\. 135 a 139\)",
        keeping="Para conservar su número: se le pedirá al hacer el pedido, nunca aquí.",
        slip="Haga el pedido en línea. Se lo llevamos a casa, 14 días para cambiar de opinión.",
        button="Pedido con obligación de pago",
        unpaid="Tiene 14 días desde la entrega para cambiar de opinión.",
        ordered="Desistir del contrato aquí",
        contact={"name": "Lucía Ferrer", "email": "lucia@example.org", "address": "Calle de Fuencarral 12\n28004 Madrid"},
    ),
]
THEIRS = [
    pytest.param(each, id=each.market, marks=pytest.mark.browser_context_args(locale=f"{each.market}-{each.market.upper()}"))
    for each in COUNTRIES
]
"""Each with a browser of the country."""


@pytest.mark.parametrize("country", THEIRS)
def test_a_customer_of_another_country_takes_a_slip_home_and_orders_with_it(
    page: Page, shared_system: System, tmp_path: Path, country: Country
) -> None:
    directory = tmp_path / country.corner
    with corner_of(shared_system, directory, country.corner) as address:
        customer = Customer(page, Stand("kiosk", country.market), base=address, catalog=directory / "catalog.db")
        page.goto(f"{address}/")
        expect(page.locator("html")).to_have_attribute("lang", country.market)
        assert [name.strip() for name in page.locator(".lang form button span").all_inner_texts()] == country.languages
        expect(page.get_by_text(country.partner)).to_be_visible()
        customer.arrives()
        customer.reads(customer.says("Sur cette table"))
        chooses_a_phone_with_a_plan(customer, country)
        page.locator("#choose").click()
        page.wait_for_url("**/selections/*")
        is_at_home_here(page)
        page.locator("#issue").click()
        page.wait_for_url("**/slips/*")
        customer.reads(country.slip)
        is_at_home_here(page)

    with closing(connect(directory / "ops.db", durable=True)) as ops:
        [[token]] = ops.execute("select token from slip").fetchall()
    page.set_viewport_size(dict(zip(("width", "height"), GLASS["shop"], strict=True)))  # type: ignore[arg-type]
    page.goto(f"{shared_system.marketplace_url}/k/{tokens.to_digits(token)}")
    orders(page, country)
    expect(page.get_by_text(country.unpaid)).to_be_visible()


@pytest.mark.parametrize("country", THEIRS)
def test_a_customer_of_another_country_orders_at_home(page: Page, shared_system: System, country: Country) -> None:
    home = shared_system.marketplace_url
    replica = replica_path(shared_system.marketplace, country.market)
    customer = Customer(page, Stand("shop", country.market), base=home, catalog=replica)
    page.goto(f"{home}/home")
    page.get_by_role("navigation", name=customer.says("Marché")).get_by_role("link", name=country.market.upper()).click()
    expect(page.locator("html")).to_have_attribute("lang", country.market)
    chooses_a_phone_with_a_plan(customer, country)
    page.locator("#choose").click()
    page.wait_for_url("**/selections/*")
    is_at_home_here(page)

    page.goto(f"{home}/plans")
    customer.reads(country.plan[-1])
    page.locator(".plan-alone").first.click()
    page.locator("#choose").click()
    page.wait_for_url("**/selections/*")
    customer.follows(customer.says("Commander"))
    orders(page, country)
    expect(page.get_by_role("link", name=country.ordered)).to_be_visible()


def chooses_a_phone_with_a_plan(customer: Customer, country: Country) -> None:
    """Find a phone in its list, read what is promised of it, and take the plan that binds for two years with it."""
    page = customer.page
    plan = customer.plan("body ->> '$.commitment_months' = 24")
    dear = f"select sku.sku, model, from_cents {PHONES} and from_cents >= ? order by from_cents limit 1"
    [[sku, model, cents]] = customer.facts(dear, plan["min_device_cents"])
    customer.follows(customer.kind("phones"))
    page.wait_for_url("**/browse?category=phones**")
    is_at_home_here(page)
    page.locator(f"main a[href*='/sku/{sku}']").first.click()
    customer.heads(model)
    customer.reads(customer.money(cents), *country.device)
    page.get_by_text(customer.says("Détail du prix et du grade")).click()
    expect(page.get_by_text(re.compile(country.tax)).first).to_be_visible()
    page.locator("#acq-port").click()
    customer.reads(country.keeping)
    page.locator(f"#every-plan, #plan-{plan['plan_id']}").first.click()
    page.locator(f"#plan-{plan['plan_id']}").click()
    expect(page.locator(f"#plan-{plan['plan_id']}.on")).to_be_visible()
    customer.reads(*country.plan)
    is_at_home_here(page)


def orders(page: Page, country: Country) -> None:
    """Say where to, as it is written there, and order."""
    expect(page.locator("[name=address]")).to_have_attribute("placeholder", country.contact["address"])
    for name, value in country.contact.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("[name^=acquisition_]").first.check()
    is_at_home_here(page)
    page.get_by_role("button", name=country.button).click()
    page.wait_for_url("**/orders/*")
    is_at_home_here(page)


def is_at_home_here(page: Page) -> None:
    """See that sums are written as they are there, and that nothing is said of France's law or partners."""
    said = page.locator("body").inner_text()
    assert FRANCE_S.findall(said) == [], page.url
    sums = [line for line in said.splitlines() if "€" in line]
    assert sums, page.url
    assert [line for line in sums if len(AMOUNT.findall(line)) != line.count("€")] == [], page.url


def test_a_console_brand_s_corner_shows_its_kinds_in_its_colour_and_no_plan(
    page: Page, shared_system: System, tmp_path: Path
) -> None:
    directory = tmp_path / "bordeaux"
    with corner_of(shared_system, directory, "bordeaux-manette") as address:
        customer = Customer(page, Stand("kiosk", "fr"), base=address, catalog=directory / "catalog.db")
        customer.arrives()
        customer.reads("Sur cette table")
        kinds = [customer.kind(category_id) for category_id in ("consoles", "handhelds")]
        assert [kind.strip() for kind in page.locator(".kind span").all_inner_texts()] == kinds
        assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--leaf')") == "#1b4f9c"
        expect(page.get_by_text("forfait")).to_have_count(0)
        customer.opens("/browse?q=iphone")
        expect(page.get_by_role("article")).to_have_count(0)
        [[phone]] = customer.facts(f"select sku.sku {PHONES} limit 1")
        customer.opens(f"/sku/{phone}")
        customer.reads("Cet appareil n’est pas dans ce rayon.")
        expect(page.get_by_role("link", name="Voir dans toute la boutique")).to_have_count(0)

        customer.follows("Retour à l’accueil")
        customer.follows(kinds[0])
        page.get_by_role("article").first.get_by_role("link").first.click()
        customer.reads("Garantie légale de conformité : 2 ans", "Aujourd’hui")
        expect(page.get_by_text("forfait")).to_have_count(0)
        page.locator("#choose").click()
        page.wait_for_url("**/selections/*")
        page.locator("#issue").click()
        page.wait_for_url("**/slips/*")
        customer.reads("Votre bon est prêt. Rien n’est encore commandé.")
        expect(page.get_by_text("par mois")).to_have_count(0)
