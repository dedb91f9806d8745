from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from argon2 import Type, extract_parameters

from marketplace.app import create_app
from marketplace.fleet import enrolments
from marketplace.sessions import HASHER, PASSWORDS, SESSION
from marketplace.setup import store_secrets
from pos import clock
from tests.marketplace.hq import LAST_IPHONE_12, Hq

COOKIE = "comptoir_console"
PAGES = ("", "fleet", "trials/", "corners/nantes-crebillon", "slips", "orders", "sellers", "devices/", "dead-letters", "gaps")


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
    for _ in range(PASSWORDS.free_tries):
        assert "Ce n’est pas le mot de passe" in hq.client.post("/console/login", data={"password": "guess"}).text
    answer = hq.client.post("/console/login", data={"password": hq.password})
    assert answer.status_code == 403
    assert "Trop d’essais" in answer.text


def test_guessing_many_at_once_gets_no_more_tries(hq: Hq) -> None:
    with ThreadPoolExecutor(PASSWORDS.free_tries + 3) as posts:
        pages = list(posts.map(lambda _: guess(hq), range(PASSWORDS.free_tries + 3)))
    assert sum("Ce n’est pas le mot de passe" in page for page in pages) <= PASSWORDS.free_tries
    assert hq.rows("select failures from console_failure") == [{"failures": PASSWORDS.free_tries}]


def test_a_success_forgets_the_tries_before(hq: Hq) -> None:
    for _ in range(PASSWORDS.free_tries - 1):
        guess(hq)
    log_in(hq)
    assert hq.rows("select * from console_failure") == []


def test_guessing_from_elsewhere_locks_nobody_out(hq: Hq) -> None:
    for _ in range(PASSWORDS.free_tries + 1):
        guess(hq, REMOTE_ADDR="203.0.113.9")
    assert "Trop d’essais" in guess(hq, REMOTE_ADDR="203.0.113.9")
    log_in(hq)


def test_a_browser_that_was_let_in_before_passes_those_who_guess_beside_it(hq: Hq) -> None:
    log_in(hq)
    hq.client.post("/console/logout")
    for _ in range(PASSWORDS.free_tries + 1):
        guess(hq)
    stranger = hq.app.test_client().post("/console/login", data={"password": hq.password})
    assert "Trop d’essais" in stranger.text
    log_in(hq)


def test_a_browser_that_was_let_in_before_guesses_no_longer_than_others(hq: Hq) -> None:
    log_in(hq)
    for _ in range(PASSWORDS.free_tries):
        hq.client.post("/console/login", data={"password": "guess"})
    assert "Trop d’essais" in hq.client.post("/console/login", data={"password": hq.password}).text


def test_where_a_try_comes_from_is_asked_of_our_proxy_alone(hq: Hq) -> None:
    for number in range(PASSWORDS.free_tries + 1):
        guess(hq, HTTP_X_FORWARDED_FOR=f"203.0.113.{number}")
    assert "Trop d’essais" in guess(hq)

    behind = create_app(hq.directory, trusted_proxies=["127.0.0.1"])
    tried = {"data": {"password": "guess"}, "environ_base": {"HTTP_X_FORWARDED_FOR": "198.51.100.7"}}
    assert "Ce n’est pas le mot de passe" in behind.test_client().post("/console/login", **tried).text
    behind.extensions["marketplace"].engine.dispose()


def test_wrong_codes_are_counted_apart_from_wrong_passwords(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolments, "MOST_MISSES", 3)
    for _ in range(5):
        hq.client.post("/sync/v1/enrolments", json={"code": "0000-0000-0000", "public_key": "ab" * 32})
    assert "Ce n’est pas le mot de passe" in guess(hq)
    log_in(hq)


def guess(hq: Hq, **environ: str) -> str:
    return hq.app.test_client().post("/console/login", data={"password": "guess"}, environ_base=environ).text


def test_the_password_is_kept_as_argon2id_only(hq: Hq) -> None:
    stored = str(hq.rows("select * from setting"))
    assert hq.password not in stored
    assert "$argon2id$" in stored


def test_each_guess_at_a_copied_password_costs_what_owasp_asks_for_at_least() -> None:
    cost = extract_parameters(HASHER.hash("password"))
    assert (cost.type, cost.time_cost, cost.memory_cost) == (Type.ID, 2, 19 * 1024)


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
    from marketplace.feeds.problems import FeedRefused

    log_in(hq)
    hq.claim(hq.digits(LAST_IPHONE_12))
    hq.up(hq.event("slip_exploded", {}))
    with pytest.raises(FeedRefused):
        hq.import_world(l11={"price": "-1.00"})
    assert "attendu" in hq.client.get("/console/slips").text
    assert "pas encore reçu" in hq.client.get("/console/orders").text
    assert "slip_exploded" in hq.client.get("/console/dead-letters").text
    assert "negative price" in hq.client.get("/console/").text
    assert "Atelier Loire" in hq.client.get("/console/sellers").text


def test_logging_out_ends_the_session_wherever_its_cookie_went(hq: Hq) -> None:
    log_in(hq)
    copy = hq.app.test_client()
    copy.set_cookie(COOKIE, cookie(hq), domain="localhost")
    assert copy.get("/console/").status_code == 200
    hq.client.post("/console/logout")
    assert hq.client.get("/console/").status_code == 303
    assert copy.get("/console/").status_code == 303


def test_logging_out_ends_this_session_alone(hq: Hq) -> None:
    other = hq.app.test_client()
    other.post("/console/login", data={"password": hq.password})
    log_in(hq)
    hq.client.post("/console/logout")
    assert other.get("/console/").status_code == 200


def test_a_new_password_ends_every_session_at_once(hq: Hq) -> None:
    log_in(hq)
    store_secrets(hq.engine, "another password")
    assert hq.client.get("/console/").status_code == 303


def test_a_session_ends_after_twelve_hours(hq: Hq) -> None:
    log_in(hq)
    with time_machine.travel(clock.now() + SESSION - timedelta(minutes=1)):
        assert hq.client.get("/console/").status_code == 200
    with time_machine.travel(clock.now() + SESSION):
        assert hq.client.get("/console/").status_code == 303


def test_no_copy_of_the_database_opens_the_console(hq: Hq) -> None:
    log_in(hq)
    with hq.client.session_transaction() as session:
        token = session["token"]
    assert len(token) >= 40
    assert token not in str(hq.rows("select * from setting"))


def cookie(hq: Hq) -> str:
    found = hq.client.get_cookie(COOKIE)
    assert found is not None
    return found.value
