from __future__ import annotations

from pos import offers, plans
from pos.bodies import read_body
from tests.world import Kiosk


def test_a_body_is_read_once_and_anew_when_its_text_changes() -> None:
    assert read_body('{"name": "Bon"}') is read_body('{"name": "Bon"}')
    assert read_body('{"name": "Bien"}') == {"name": "Bien"}


def test_rows_that_change_are_seen_at_once(kiosk: Kiosk) -> None:
    catalogue = kiosk.catalog.read()
    before = offers.grades(catalogue)[0]["name"]["fr"], plans.plans(catalogue)[0].body["monthly_cents"]
    with kiosk.catalog.write() as database:
        database.execute("update grade set body = json_set(body, '$.name.fr', 'Vu')")
        database.execute("update plan set body = json_set(body, '$.monthly_cents', 1)")

    assert before != ("Vu", 1)
    assert (offers.grades(catalogue)[0]["name"]["fr"], plans.plans(catalogue)[0].body["monthly_cents"]) == ("Vu", 1)
