from __future__ import annotations

import gzip
import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kiosk.app import create_app
from pos.bodies import read_body
from tests import world
from tests.pos.test_origins import FOREIGN_FORMS, HOSTS, OWN_FORMS, origin

LIMIT_BYTES = 120 * 1024


def first_visit_bytes(client: FlaskClient, path: str) -> int:
    """Return the weight of a page and of everything it names, as a browser that takes gzip receives them."""
    page = client.get(path, headers={"Accept-Encoding": "gzip"})
    text = gzip.decompress(page.data).decode()
    addresses = set(re.findall(r'(?:src|href)="(/(?:static|drawings|media)/[^"]+)"', text))
    assert len(addresses) > 5
    return len(page.data) + sum(len(client.get(each, headers={"Accept-Encoding": "gzip"}).data) for each in addresses)


def test_every_page_carries_a_policy_without_inline(client: FlaskClient) -> None:
    for path in ("/", "/home", "/browse", "/sku/IPHONE-13-128-BLUE", "/nowhere", "/counter/session"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert {"HX-Request", "Cookie"} <= {each.strip() for each in headers["Vary"].split(",")}


def test_a_page_asks_the_catalogue_four_times_at_most(app: Flask, client: FlaskClient) -> None:
    selection = client.post("/selections").headers["Location"]
    phone, other = "/sku/IPHONE-13-128-BLUE", "GALAXY-S22-256-GREEN"
    pages = ["/", "/home", "/browse", phone, f"{phone}/prices", f"/compare?sku={phone[5:]}&sku={other}", selection, "/plans"]
    pages += ["/finder", "/finder?q=iphone+13+bleu,+moins+de+400", "/how-it-works", "/grades", "/sku/NOTHING"]
    asked: dict[str, list[str]] = {}
    for path in pages:
        client.get(path)
        with world.statements(app) as asked[path]:
            client.get(path)

    assert {path: each for path, each in asked.items() if len(each) > 4} == {}
    assert any(asked.values())


@pytest.mark.parametrize("headers", [*FOREIGN_FORMS.values(), {"Origin": "null"}], ids=str)
def test_a_form_of_another_site_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post("/selections", headers=headers)

    assert answer.status_code == 403
    assert "Elle venait d’une page d’un autre site." in answer.text


@pytest.mark.parametrize("place", HOSTS)
@pytest.mark.parametrize("browser", OWN_FORMS)
def test_our_own_forms_pass_in_every_browser(kiosk: world.Kiosk, browser: str, place: str) -> None:
    client = create_app(kiosk.directory, sync=False, hosts=["192.0.2.10", "marche.example"]).test_client()
    headers = {**OWN_FORMS[browser][place], "Origin": origin(place)}
    assert client.post("/selections", headers=headers, base_url=f"http://{HOSTS[place]}").status_code == 303


def test_a_program_passes(client: FlaskClient) -> None:
    assert client.post("/selections").status_code == 303


def test_other_names_of_this_machine_are_refused(client: FlaskClient) -> None:
    assert client.get("/home", headers={"Host": "evil.test"}).status_code == 400


def test_problems_for_programs_have_one_shape(client: FlaskClient) -> None:
    answer = client.get("/sku/NOKIA-3310", headers={"Accept": "application/json"})

    assert answer.json is not None
    assert sorted(answer.json) == ["code", "detail", "status"]
    assert (answer.json["code"], answer.json["status"]) == ("not_found", 404)
    assert client.get("/nowhere.json").json == {"code": "not_found", "detail": answer_detail(client), "status": 404}


def answer_detail(client: FlaskClient) -> str:
    return str(client.get("/nowhere", headers={"Accept": "application/json"}).json["detail"])  # type: ignore[index]


def test_a_method_that_does_not_exist_is_said(client: FlaskClient) -> None:
    assert "Cela ne se fait pas à cette adresse." in client.put("/home").text


def test_the_problem_of_a_fragment_takes_the_place_of_the_page(client: FlaskClient) -> None:
    answer = client.get("/sku/NOKIA-3310/bundle", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["HX-Retarget"]) == (404, "body")


def test_static_files_are_versioned_compressed_and_kept(client: FlaskClient) -> None:
    [address] = set(re.findall(r'"(/static/\w+/corner\.css)"', client.get("/home").text))
    sent = client.get(address, headers={"Accept-Encoding": "gzip"})

    assert sent.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert gzip.decompress(sent.data) == client.get(address).data
    assert client.get("/static/0000000000/corner.css").status_code == 404


@pytest.mark.parametrize("path", ["/", "/home", "/browse", "/sku/IPHONE-13-128-BLUE?plan=2"])
def test_a_first_visit_stays_light(client: FlaskClient, path: str) -> None:
    assert first_visit_bytes(client, path) <= LIMIT_BYTES


def test_no_page_changes_the_bodies_that_all_pages_share(client: FlaskClient, kiosk: world.Kiosk) -> None:
    chosen = {"listing": "107", "plan": world.FORFAIT_5}
    selection = client.post("/selections", data=chosen).headers["location"]
    for path in ("/", "/home", "/browse?grade=GOOD", "/sku/IPHONE-13-128-BLUE?plan=2&option=1", "/plans", selection):
        assert client.get(path).status_code == 200

    for table in ("grade", "category", "seller", "plan", "option", "law"):
        for (text,) in kiosk.catalog.read().execute(f"select body from {table}"):
            assert read_body(text) == json.loads(text)


def test_pages_are_the_same_with_and_without_compression(client: FlaskClient) -> None:
    assert gzip.decompress(client.get("/browse", headers={"Accept-Encoding": "gzip"}).data) == client.get("/browse").data


def test_an_unexpected_failure_is_said_and_nothing_leaks(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("secret detail")

    app.view_functions["home.home"] = fail  # type: ignore[assignment]
    answer = app.test_client().get("/home")

    assert answer.status_code == 500
    assert "Quelque chose a échoué de notre côté." in answer.text
    assert "secret detail" not in answer.text


def test_a_kiosk_answers_to_its_own_names_alone(kiosk: world.Kiosk) -> None:
    app = create_app(kiosk.directory, sync=False, hosts=["2001:db8::7", "kiosk.lan"])
    own = ("localhost", "127.0.0.1:8001", "[::1]", "[::1]:8001", "[2001:db8::7]:8001", "kiosk.lan:8001")
    strange = (
        "evil.test",
        "localhost.evil.test",
        "[::2]",
        "[::1",
        "",
        "a b",
        "é",
        "::1",
        "localhost:port",
        "localhost, evil.test",
    )

    assert {host: app.test_client().get("/home", headers={"Host": host}).status_code for host in own} == dict.fromkeys(own, 200)
    assert {host: app.test_client().get("/home", headers={"Host": host}).status_code for host in strange} == dict.fromkeys(
        strange, 400
    )


def test_a_form_or_query_of_thousands_of_fields_is_refused_unparsed(client: FlaskClient) -> None:
    form = client.post("/selections", data=b"a&" * 8000, content_type="application/x-www-form-urlencoded")

    assert form.status_code == 413
    assert client.get("/browse?" + "a&" * 2000).status_code == 413
