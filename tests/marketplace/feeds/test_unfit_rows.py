"""Rows no page could show, as an earlier version may have let in: HQ publishes on, and each of its pages answers."""

from __future__ import annotations

import pytest

from marketplace.db import run_tx
from pos import clock
from sync.hq.log import mark_dirty
from tests.marketplace.hq import IPHONE_13, IPHONE_13_WITH_PLAN, Hq

CONSOLE = ("", "fleet", "slips", "orders", "sellers", "trials/", "devices/", "gaps", "events", "corners/nantes-crebillon")
UNFIT = {
    "a plan without data": ("plan", "plan_id = 2", '{"name": {"fr": "a"}}'),
    "a plan that is a text": ("plan", "plan_id = 2", '"plan"'),
    "a plan of texts": ("plan", "plan_id = 2", '{"monthly_cents": "9.99", "name": "a", "acquisitions": 3, "partner_id": []}'),
    "an option without a price": ("option", "option_id = 1", '{"name": null}'),
    "an option that is a list": ("option", "option_id = 1", "[]"),
    "a device without a colour's name": ("sku", "sku_id = 1", '{"color": {"hex": 3}, "specs": {"lenses": "3"}}'),
    "a device that is null": ("sku", "sku_id = 1", "null"),
    "a seller without a name": ("seller", "seller_id = 1", '{"legal_name": 5}'),
    "a seller that is a list": ("seller", "seller_id = 1", "[]"),
    "a grade without a name": ("grade", "grade_id = 11", "{}"),
    "a category of nothing": ("category", "category_id = 'phones'", "{}"),
    "a partner without a name": ("partner", "partner_id = 'loire-mobile'", "{}"),
    "a law of nothing": ("law", "market = 'fr'", "{}"),
    "a law of texts": ("law", "market = 'fr'", '{"rate_bp": "x", "words": null, "days": [], "months": {}, "bands": 5}'),
}


@pytest.mark.parametrize("case", UNFIT)
def test_every_page_of_hq_answers(hq: Hq, case: str) -> None:
    hq.app.testing = False
    slips = [hq.digits(IPHONE_13_WITH_PLAN, counter=1), hq.digits(IPHONE_13, counter=2)]
    order = hq.claim(hq.digits(IPHONE_13_WITH_PLAN, counter=3)).location
    table, where, body = UNFIT[case]
    hq.write(f"update {table} set body = :body where {where}", body=body)
    run_tx(hq.engine, lambda connection: mark_dirty(connection, "fr", table, None))
    assert hq.publish() == 2
    slips += [
        hq.digits(IPHONE_13_WITH_PLAN, counter=4, publication=2, issued=clock.now()),
        hq.digits(IPHONE_13, counter=5, publication=2),
    ]

    answers = {f"slip {number}": hq.client.get(f"/k/{digits}").status_code for number, digits in enumerate(slips)}
    answers |= {f"claim {number}": hq.claim(digits).status_code for number, digits in enumerate(slips)}
    answers["order"] = hq.client.get(order).status_code
    hq.client.post("/console/login", data={"password": hq.password})
    answers |= {page: hq.client.get(f"/console/{page}").status_code for page in CONSOLE}
    answers["up"] = hq.up().status_code

    assert {page: status for page, status in answers.items() if status >= 500} == {}
