"""Where prices hold no tax, a dated row of the law says it for the address: no row, no order."""

from __future__ import annotations

import json

import pytest

from marketplace.db import reading
from marketplace.orders.parts import amount_cents
from pos.tokens import TokenLine
from tests.marketplace import world
from tests.marketplace.hq import IPHONE_13, Hq, words

IPHONE_13_FOR_NOTHING = TokenLine(listing_id=11, plan_id=2, option_ids=(1,), one_off_cents=100, monthly_cents=2198)
NEW_YORK, MIAMI = "350 Fifth Avenue, New York, NY 10118", "1 Ocean Drive, Miami, FL 33139"


@pytest.fixture
def american(hq: Hq) -> Hq:
    """The corner's market shows prices without tax, and New York's is known: 8.875 % in the city, 4 % around it."""
    body = {"market": "fr", "currency": "EUR", "languages": ["fr", "en"], "tax_included": False}
    rows = world.world()
    for law_id, prefix, rate_ppm in (("tax-1", "1", 40_000), ("tax-101", "101", 88_750)):
        rows["laws"].append(world.law(law_id, "sales_tax", {"zip_prefix": prefix, "rate_ppm": rate_ppm}))
    ended = world.law("tax-3", "sales_tax", {"zip_prefix": "33", "rate_ppm": 70_000}) | {"valid_to": "2023-01-01"}
    rows["laws"].append(ended)
    for plan in rows["plans"]:
        plan["instalment_months"] = 24
    hq.import_world(rows)
    hq.publish()
    hq.write("update market set body = :body", body=json.dumps(body))
    return hq


def test_the_tax_is_asked_for_before_the_form_and_frozen_with_the_order(american: Hq) -> None:
    digits = american.digits(IPHONE_13)
    assert 'id="claim"' not in american.client.get(f"/k/{digits}").text
    page = american.client.get(f"/k/{digits}?zip=10118")
    assert "Taxe de vente pour 10118 : 32,75 €" in words(page)
    assert 'name="seen_tax_cents" value="3275"' in page.text
    placed = american.claim(digits, address=NEW_YORK, seen_tax_cents="3275")
    assert placed.status_code == 303
    assert american.rows("select tax_cents, owed_cents from order_line") == [{"tax_cents": 3275, "owed_cents": 36900}]
    [order] = american.rows("select customer_id, order_id from customer_order")
    with reading(american.engine) as connection:
        assert amount_cents(connection, **order) == 40175


def test_a_device_that_costs_nothing_with_its_plan_waits_for_its_tax(american: Hq) -> None:
    digits = american.digits(IPHONE_13_FOR_NOTHING, publication=2)
    page = american.client.get(f"/k/{digits}?zip=10118")
    assert "Taxe de vente pour 10118 : 32,75 €" in words(page)
    placed = american.claim(digits, address=NEW_YORK, seen_tax_cents="3275", acquisition_1="new")
    assert placed.status_code == 303, words(placed)
    [order] = american.rows("select customer_id, order_id, state from customer_order")
    assert (order.pop("state"), american.rows("select * from unit")) == ("open", [])
    with reading(american.engine) as connection:
        assert amount_cents(connection, **order) == 3275


@pytest.mark.parametrize("seen", ["", "1476"])
def test_a_tax_that_was_not_shown_is_not_charged(american: Hq, seen: str) -> None:
    refused = american.claim(american.digits(IPHONE_13), address=NEW_YORK, seen_tax_cents=seen)
    assert (refused.status_code, "Taxe de vente pour 10118 : 32,75 €" in words(refused)) == (409, True)
    assert american.rows("select * from customer_order") == []


def test_without_a_row_for_the_address_on_the_day_nothing_is_ordered(american: Hq) -> None:
    digits = american.digits(IPHONE_13)
    page = american.client.get(f"/k/{digits}?zip=33139")
    assert "Nous ne connaissons pas la taxe de vente pour 33139" in page.text
    assert 'id="claim"' not in page.text
    refused = american.claim(digits, address=MIAMI, seen_tax_cents="9999")
    assert (refused.status_code, "Nous ne pouvons pas encore livrer" in refused.text) == (422, True)
    assert american.rows("select * from customer_order") == []


def test_around_the_city_the_shorter_row_holds(american: Hq) -> None:
    assert "Taxe de vente pour 12207 : 14,76 €" in words(american.client.get(f"/k/{american.digits(IPHONE_13)}?zip=12207"))
