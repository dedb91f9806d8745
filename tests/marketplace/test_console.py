from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from marketplace.console import FREE_TRIES
from tests.marketplace.hq import LAST_IPHONE_12, Hq

PAGES = ("", "fleet", "trials/", "corners/nantes-crebillon", "slips", "orders", "sellers", "devices/", "events", "gaps")


def log_in(hq: Hq) -> None:
    assert hq.client.post("/console/login", data={"password": hq.password}).status_code == 303


@pytest.mark.parametrize("path", PAGES)
def test_every_page_asks_for_the_password(hq: Hq, path: str) -> None:
    answer = hq.client.get(f"/console/{path}")
    assert (answer.status_code, answer.location) == (303, "/console/login")
    assert hq.client.post("/console/trials/fr/publications").location == "/console/login"
    log_in(hq)
    assert hq.client.get(f"/console/{path}").status_code == 200


def test_guessing_has_to_wait(hq: Hq) -> None:
    for _ in range(FREE_TRIES):
        assert "Ce n’est pas le mot de passe" in hq.client.post("/console/login", data={"password": "guess"}).text
    answer = hq.client.post("/console/login", data={"password": hq.password})
    assert answer.status_code == 403
    assert "Trop d’essais" in answer.text


def test_guessing_many_at_once_gets_no_more_tries(hq: Hq) -> None:
    with ThreadPoolExecutor(FREE_TRIES + 3) as posts:
        pages = list(posts.map(lambda _: guess(hq), range(FREE_TRIES + 3)))
    assert sum("Ce n’est pas le mot de passe" in page for page in pages) <= FREE_TRIES
    assert hq.rows("select failures from console_failure") == [{"failures": FREE_TRIES}]


def test_a_success_forgets_the_tries_before(hq: Hq) -> None:
    for _ in range(FREE_TRIES - 1):
        guess(hq)
    log_in(hq)
    assert hq.rows("select * from console_failure") == []


def guess(hq: Hq) -> str:
    return hq.app.test_client().post("/console/login", data={"password": "guess"}).text


def test_the_password_is_kept_as_argon2id_only(hq: Hq) -> None:
    stored = str(hq.rows("select * from setting"))
    assert hq.password not in stored
    assert "$argon2id$" in stored


def test_publishing_and_enrolling_from_the_console(hq: Hq) -> None:
    log_in(hq)
    hq.import_world(l11={"price": "349.00"})
    assert "marque attend" in hq.client.get("/console/").text
    assert hq.client.post("/console/trials/fr/publications").status_code == 303
    assert "tout est publié" in hq.client.get("/console/").text
    page = hq.client.post("/console/corners/paris-beaubourg/enrolments").text
    code = page.split('class="code">')[1].split("<")[0]
    answer = hq.client.post("/sync/v1/enrolments", json={"code": code, "public_key": "ab" * 32})
    assert answer.status_code == 202, "a code from the console waits for a person"
    assert hq.client.post("/console/corners/nowhere/enrolments").status_code == 404


def test_slips_orders_and_refused_feeds_are_listed(hq: Hq) -> None:
    from marketplace.problems import FeedRefused

    log_in(hq)
    hq.claim(hq.digits(LAST_IPHONE_12))
    hq.up(hq.event("slip_exploded", {}))
    with pytest.raises(FeedRefused):
        hq.import_world(l11={"price": "-1.00"})
    assert "attendu" in hq.client.get("/console/slips").text
    assert "pas encore reçu" in hq.client.get("/console/orders").text
    assert "slip_exploded" in hq.client.get("/console/events").text
    assert "negative price" in hq.client.get("/console/").text
    assert "Atelier Loire" in hq.client.get("/console/sellers").text


def test_logging_out_ends_the_session(hq: Hq) -> None:
    log_in(hq)
    hq.client.post("/console/logout")
    assert hq.client.get("/console/").status_code == 303
