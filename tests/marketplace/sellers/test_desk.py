from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from email.message import EmailMessage
from unittest.mock import Mock

import pytest
import time_machine
from flask.testing import FlaskClient

from marketplace.running import mail
from marketplace.running.mail import SmtpServer, store_smtp_server
from marketplace.sellers.desk import COOKIE
from marketplace.sellers.people import LINK, LOG_INS, SESSION
from pos import clock
from tests.marketplace.hq import Hq, words
from tests.marketplace.sellers.applicants import COMPANY, admitted, decide

PASSWORD = "quai de la fosse"
OTHER = "bord de l'erdre"


def link_in(page: str) -> str:
    """Return the path of the link that a page shows."""
    seller_id, secret = page.split("/seller/password/")[1].split("<")[0].strip().split("/")
    return f"/seller/password/{seller_id}/{secret}"


def owner(hq: Hq, seller_id: int, password: str = PASSWORD) -> FlaskClient:
    """Return the browser of a seller's owner, signed in by a link that HQ made."""
    [person] = hq.rows("select user_id, email from seller_user where seller_id = :id and role = 'owner'", id=seller_id)
    user = person["user_id"]
    shown = hq.client.post(f"/console/sellers/{seller_id}/people/{user}/link").text
    browser = hq.app.test_client()
    assert browser.post(link_in(shown), data={"password": password}).location == "/seller/login?chosen=1"
    assert "Votre mot de passe est gardé" in words(browser.get("/seller/login?chosen=1"))
    sign_in(browser, person["email"], password)
    return browser


def sign_in(browser: FlaskClient, email: str, password: str) -> None:
    answer = browser.post("/seller/login", data={"email": email, "password": password})
    assert (answer.status_code, answer.location) == (303, "/seller")


def member(browser: FlaskClient, hq: Hq, email: str, role: str) -> FlaskClient:
    """Return the browser of somebody whom an owner adds."""
    shown = browser.post("/seller/people", data={"email": email, "role": role}).text
    added = hq.app.test_client()
    assert added.post(link_in(shown), data={"password": OTHER}).status_code == 303
    sign_in(added, email, OTHER)
    return added


def user_id(hq: Hq, email: str) -> str:
    [person] = hq.rows("select user_id from seller_user where email = :email and removed_at is null", email=email)
    return str(person["user_id"])


@pytest.fixture
def renouveau(hq: Hq) -> FlaskClient:
    """The owner of a seller on trial, at the desk."""
    return owner(hq, admitted(hq))


def test_the_link_of_who_is_let_in_is_made_when_its_mail_leaves(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[EmailMessage] = []
    monkeypatch.setattr(mail, "_connected", lambda _server: nullcontext(Mock(send_message=left.append)))
    seller_id = admitted(hq)
    assert hq.rows("select body from job where body like '%/seller/password%'") == []
    store_smtp_server(hq.engine, SmtpServer(host="127.0.0.1", port=25, sender="Comptoir <comptoir@marche.test>", tls="none"))
    with time_machine.travel(clock.now() + timedelta(days=4), tick=False):
        hq.work()
        [answer] = [each for each in left if "acceptée" in each["Subject"]]
        body = answer.get_body(("plain",))
        secret = str(body and body.get_content()).split(f"/seller/password/{seller_id}/")[1].split()[0]
        sent = hq.client.post(f"/seller/password/{seller_id}/{secret}", data={"password": PASSWORD})
    assert sent.status_code == 303


def test_an_owner_let_in_finds_the_company_and_why(hq: Hq, renouveau: FlaskClient) -> None:
    assert "à l’essai" in words(renouveau.get("/seller"))
    page = words(renouveau.get("/seller/company"))
    assert "FR1420041010050500013M02606" in page
    assert "Extrait Kbis lu" in page, "a statement of reasons is for the seller"
    [seller] = hq.rows("select seller_id from seller where source = 'desk'")
    decide(hq, seller["seller_id"], "warned", facts="Trois envois en retard.")
    assert "Trois envois en retard." in words(renouveau.get("/seller"))


@pytest.mark.parametrize("path", ["", "/people", "/company"])
def test_every_page_asks_who_is_there(hq: Hq, path: str) -> None:
    assert hq.client.get(f"/seller{path}").location == "/seller/login"
    assert "Espace vendeur" in hq.client.get("/seller/login").text
    assert hq.client.post("/seller/people", data={"email": "a@b.example", "role": "owner"}).location == "/seller/login"
    assert hq.rows("select * from seller_user") == []


def test_the_cookie_is_the_desk_s_alone_and_no_copy_of_the_database_opens_it(hq: Hq, renouveau: FlaskClient) -> None:
    answer = renouveau.post("/seller/login", data={"email": COMPANY["email"].upper(), "password": PASSWORD})
    said = answer.headers["Set-Cookie"]
    assert all(word in said for word in (COOKIE, "Path=/seller", "HttpOnly", "SameSite=Lax"))
    token = said.split("=", 1)[1].split(";")[0].partition(".")[2]
    assert len(token) >= 40
    assert token not in str(hq.rows("select * from seller_session"))
    assert "$argon2id$" in str(hq.rows("select password_hash from seller_user"))


def test_a_link_works_once_and_a_newer_one_takes_its_place(hq: Hq, renouveau: FlaskClient) -> None:
    shown = renouveau.post("/seller/people", data={"email": "leo@renouveau.example", "role": "reader"}).text
    first = link_in(shown)
    leo = user_id(hq, "leo@renouveau.example")
    second = link_in(renouveau.post(f"/seller/people/{leo}/link").text)
    browser = hq.app.test_client()
    assert browser.get(first).status_code == 409
    assert browser.get(second).status_code == 200
    assert browser.post(second, data={"password": "court"}).status_code == 422
    with time_machine.travel(clock.now() + LINK + timedelta(minutes=1)):
        assert browser.post(second, data={"password": OTHER}).status_code == 409
    assert browser.post(second, data={"password": OTHER}).status_code == 303
    assert browser.post(second, data={"password": PASSWORD}).status_code == 409
    sign_in(browser, "leo@renouveau.example", OTHER)


def test_guessing_has_to_wait_and_locks_nobody_out_elsewhere(hq: Hq, renouveau: FlaskClient) -> None:
    guesser = hq.app.test_client()
    tried = {"email": COMPANY["email"], "password": "guess guess"}
    for _ in range(LOG_INS.free_tries):
        assert "ne vont pas ensemble" in guesser.post("/seller/login", data=tried).text
    assert "Trop d’essais" in guesser.post("/seller/login", data={**tried, "password": PASSWORD}).text
    elsewhere = hq.app.test_client().post(
        "/seller/login", data={**tried, "password": PASSWORD}, environ_base={"REMOTE_ADDR": "203.0.113.9"}
    )
    assert elsewhere.status_code == 303
    assert "ne vont pas ensemble" in guesser.post("/seller/login", data={**tried, "email": "who@else.example"}).text


def test_a_session_ends_after_twelve_hours_and_with_the_log_out(hq: Hq, renouveau: FlaskClient) -> None:
    with time_machine.travel(clock.now() + SESSION):
        assert renouveau.get("/seller").location == "/seller/login"
    assert renouveau.get("/seller").status_code == 200
    cookie = renouveau.get_cookie(COOKIE, path="/seller")
    assert cookie is not None
    renouveau.post("/seller/logout")
    copy = hq.app.test_client()
    copy.set_cookie(COOKIE, cookie.value, path="/seller")
    assert copy.get("/seller").location == "/seller/login"


def test_another_password_ends_one_s_other_sessions(hq: Hq, renouveau: FlaskClient) -> None:
    elsewhere = hq.app.test_client()
    sign_in(elsewhere, COMPANY["email"], PASSWORD)
    assert renouveau.post("/seller/password", data={"current": "guess guess", "password": OTHER}).status_code == 422
    assert elsewhere.get("/seller").status_code == 200
    assert renouveau.post("/seller/password", data={"current": PASSWORD, "password": OTHER}).status_code == 303
    assert renouveau.get("/seller").status_code == 200
    assert elsewhere.get("/seller").location == "/seller/login"
    sign_in(elsewhere, COMPANY["email"], OTHER)


def test_owners_change_people_and_nobody_else_does(hq: Hq, renouveau: FlaskClient) -> None:
    shipping = member(renouveau, hq, "leo@renouveau.example", "shipping")
    leo, nora = user_id(hq, "leo@renouveau.example"), user_id(hq, COMPANY["email"])
    assert shipping.get("/seller/people").status_code == 200
    company = words(shipping.get("/seller/company"))
    assert "FR1420041010050500013M02606" not in company, "where the money goes is for owners"
    assert "… 2606" in company
    refused = shipping.get("/seller/money")
    assert 'href="/seller">Retour à votre espace' in words(refused), "a refusal leads back"
    for path, data in (
        ("/seller/people", {"email": "x@y.example", "role": "owner"}),
        (f"/seller/people/{leo}/role", {"role": "owner"}),
        (f"/seller/people/{nora}/removal", {}),
        (f"/seller/people/{nora}/link", {}),
    ):
        assert shipping.post(path, data=data).status_code == 403, path

    assert renouveau.post(f"/seller/people/{nora}/role", data={"role": "reader"}).status_code == 409, "the last owner"
    assert renouveau.post(f"/seller/people/{nora}/removal").status_code == 409
    assert renouveau.post("/seller/people", data={"email": "LEO@renouveau.example", "role": "reader"}).status_code == 422
    assert renouveau.post(f"/seller/people/{leo}/role", data={"role": "owner"}).status_code == 303
    assert shipping.post(f"/seller/people/{nora}/removal").status_code == 303
    assert renouveau.get("/seller").location == "/seller/login", "whoever is removed is out at once"
