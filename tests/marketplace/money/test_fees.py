"""Fees: dated rules, the nearest of each name, names add up; and no fee moves an offer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from marketplace.db import reading, run_tx
from marketplace.money.fees import FeeFacts, FeeRule, RuleBegun, add_rule, fee_of, fee_on
from pos.errors import Refused
from tests.marketplace.hq import Hq

NOW = "2026-11-02T09:00:00Z"


def rule(rule_id: str, **changes: Any) -> FeeRule:
    facts = dict.fromkeys(("seller_id", "category_id", "market", "least_cents", "most_cents", "valid_to"))
    facts |= {"name": "commission", "currency": "EUR", "rate_bp": 1000, "fixed_cents": 0, "valid_from": "2026-01-01"}
    return FeeRule(rule_id=rule_id, **{**facts, **changes})


def sale(**changes: Any) -> FeeFacts:
    facts = {
        "seller_id": 1,
        "category_id": "phones",
        "market": "fr",
        "currency": "EUR",
        "price_cents": 22900,
        "day": "2026-11-02",
    }
    return FeeFacts(**{**facts, **changes})


def cents(*rules: FeeRule, **changes: Any) -> int:
    return fee_of(rules, sale(**changes), vat_bp=2000).cents


def test_ten_per_cent_where_no_rule_of_commission_holds() -> None:
    assert cents() == 2290
    assert cents(rule("r", rate_bp=800, valid_from="2026-11-03")) == 2290
    assert cents(rule("r", rate_bp=800, valid_to="2026-11-02")) == 2290
    assert cents(rule("r", rate_bp=800, currency="USD")) == 2290
    assert cents(rule("r", rate_bp=0)) == 0


def test_the_nearest_rule_wins_whatever_their_order() -> None:
    rules = [
        rule("a", rate_bp=900),
        rule("b", rate_bp=800, market="fr"),
        rule("c", rate_bp=700, category_id="phones"),
        rule("d", rate_bp=600, category_id="phones", market="fr"),
        rule("e", rate_bp=500, seller_id=1),
        rule("f", rate_bp=400, seller_id=2),
    ]
    for _ in rules:
        rules.append(rules.pop(0))
        assert cents(*rules) == 1145
    assert cents(*rules, seller_id=3) == 1374
    assert cents(*rules, seller_id=3, market="us") == 1603
    assert cents(*rules, seller_id=3, market="us", category_id="tablets") == 2061


def test_a_later_rule_takes_the_place_of_the_one_before_from_its_day_on() -> None:
    rules = [rule("a", rate_bp=900), rule("b", rate_bp=700, valid_from="2026-11-10")]
    assert cents(*rules) == 2061
    assert cents(*rules, day="2026-11-10") == 1603


def test_several_rules_add_up_and_bounds_hold() -> None:
    payment = rule("p", name="payment", rate_bp=140, fixed_cents=25)
    assert fee_of([payment], sale(), vat_bp=2000).parts == (("commission", 2290), ("payment", 346))
    assert cents(rule("a", least_cents=5000)) == 5000
    assert cents(rule("a", most_cents=1500)) == 1500
    assert cents(rule("a", rate_bp=0, fixed_cents=99)) == 99


@pytest.mark.parametrize(
    ("body", "vat_bp"),
    [
        ({"country": "FR"}, 2000),
        ({"country": "DE", "vat_number": "DE136695976"}, 0),
        ({"country": "DE", "vat_number": "DE000000000"}, 2000),
        ({"country": "DE"}, 2000),
        ({"country": "US"}, 0),
        ({}, 2000),
    ],
)
def test_vat_on_our_fee_follows_the_seller_s_country_and_number(hq: Hq, body: dict[str, str], vat_bp: int) -> None:
    hq.write("update seller set body = :body where seller_id = 1", body=json.dumps(body))
    with reading(hq.engine) as connection:
        assert fee_on(connection, sale()).vat_bp == vat_bp


def test_a_rule_starts_tomorrow_at_the_earliest_and_counts_once(hq: Hq) -> None:
    def add(made: FeeRule) -> bool:
        return run_tx(hq.engine, lambda connection: add_rule(connection, made, today="2026-11-02", at=NOW))

    assert add(rule("r1", rate_bp=900, valid_from="2026-11-03"))
    assert not add(rule("r1", rate_bp=100, valid_from="2026-11-03"))
    assert hq.rows("select rule_id, rate_bp from fee_rule") == [{"rule_id": "r1", "rate_bp": 900}]
    with pytest.raises(RuleBegun):
        add(rule("r2", valid_from="2026-11-02"))
    for changes in ({"rate_bp": 10001}, {"least_cents": 9, "most_cents": 8}, {"name": "No"}, {"valid_to": "2026-11-03"}):
        with pytest.raises(Refused):
            add(rule("r3", valid_from="2026-11-03", **changes))


def test_changing_fees_moves_no_offer(hq: Hq) -> None:
    pages = [f"/sku/{sku}" for sku in ("IPHONE-13-128-BLUE", "IPHONE-12-128-BLUE")]
    before = [hq.client.get(page).text for page in pages]
    for seller in hq.rows("select seller_id from seller"):
        made = rule(f"r{seller['seller_id']}", seller_id=seller["seller_id"], rate_bp=9000, valid_from="2026-11-03")
        run_tx(hq.engine, lambda connection, made=made: add_rule(connection, made, today="2026-11-02", at=NOW))  # type: ignore[misc]
    assert hq.publish() is None, "fees are no news for any corner"
    assert [hq.client.get(page).text for page in pages] == before
