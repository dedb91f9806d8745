"""What an order froze keeps its keys and its meaning: `tests/frozen/order.json` is one placed on 2026-11-28."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from marketplace.orders.order_lines import OrderLine
from marketplace.orders.orders import OrderFacts
from tests.marketplace.hq import IPHONE_13, IPHONE_13_WITH_PLAN, Hq
from tests.sentences import plain

ORDER: dict[str, Any] = json.loads((Path(__file__).parents[2] / "frozen" / "order.json").read_text(encoding="utf-8"))


def test_an_order_of_then_is_shown_as_it_was_agreed(hq: Hq) -> None:
    address = hq.claim(hq.digits()).location
    facts, totals = json.dumps(ORDER["facts"]), json.dumps(ORDER["totals"])
    hq.write("update customer_order set facts = :facts, totals = :totals", facts=facts, totals=totals)

    page = plain(hq.client.get(address).text)
    for text in ("Apple iPhone 13 × 2", "Série 200 Go étalée", "Je garde mon numéro", "Réparation illimitée", "Libre 20 Go"):
        assert text in page
    for text in ("partir après 12 mois coûterait 64,97 €", "Après remboursement sur demande : 2 500,04 €"):
        assert text in page
    assert (
        "puis 35 mensualités de 8,89 € et une dernière de 8,85 €. Montant total du crédit : 320,00 €, TAEG fixe de 0 %." in page
    )


def test_an_order_of_today_has_the_keys_of_then(hq: Hq) -> None:
    hq.claim(hq.digits(IPHONE_13_WITH_PLAN, IPHONE_13))
    [row] = hq.rows("select facts, totals from customer_order")
    facts, then = json.loads(row["facts"]), ORDER["facts"]

    assert facts.keys() == OrderFacts.__annotations__.keys() == then.keys() | {"digits", "time_zone", "partner_id"}
    assert json.loads(row["totals"]).keys() == ORDER["totals"].keys()
    for name in ("corner", "guarantees"):
        assert facts[name].keys() == then[name].keys()
    line, line_then = facts["lines"][0], then["lines"][0]
    assert line.keys() == line_then.keys() == OrderLine.__annotations__.keys()
    for name in ("listing", "plan", "then", "now", "totals", "printed"):
        new = {"summary"} if name == "plan" else set()
        assert line[name].keys() == line_then[name].keys() | new, name
    assert line["options"][0].keys() == line_then["options"][0].keys()
