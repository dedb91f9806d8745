"""What every route of the marketplace does alike: it says "later" while the database is down, and takes no endless form."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from marketplace.db import open_engine
from tests.marketplace.hq import CopiedHq, Hq
from tests.marketplace.sellers.desks import PASSWORD, desk
from tests.marketplace.sellers.selling import LISTING, Seller
from tests.marketplace.test_console import log_in

DOWN = {
    "PostgreSQL is stopped": "postgresql://127.0.0.1:1/comptoir",
    "the file cannot be opened": "sqlite+pysqlite:///{directory}/nowhere/marketplace.db",
    "the file is no database": "sqlite+pysqlite:///{directory}/torn.db",
}


@pytest.fixture(params=DOWN.values(), ids=list(DOWN))
def down(founded: Hq, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Hq]:
    """A marketplace whose database went away while it serves."""
    (tmp_path / "torn.db").write_bytes(b"torn" * 4096)
    hq = CopiedHq(founded, tmp_path / "hq")
    up = hq.app.extensions["marketplace"]
    engine = open_engine(request.param.format(directory=tmp_path))
    hq.app.extensions["marketplace"] = replace(up, engine=engine)
    hq.app.testing = False  # a fault of ours would be answered as it is outside of tests
    yield hq
    engine.dispose()
    hq.app.extensions["marketplace"] = up
    hq.close()


def test_every_page_says_later_while_the_database_is_down(down: Hq, caplog: pytest.LogCaptureFixture) -> None:
    digits = down.digits()
    for method, path in (
        ("GET", f"/k/{digits}"),
        ("POST", f"/k/{digits}/claim"),
        ("GET", "/orders/0190b4a2-0000-7000-8000-000000000000"),
        ("POST", "/console/login"),
        ("GET", "/metrics"),
        ("POST", "/sync/v1/enrolments"),
    ):
        caplog.clear()
        form = {"password": down.password} if path == "/console/login" else None
        json = {"code": "AAAA-BBBB-CCCC", "public_key": "ab" * 32} if path.startswith("/sync/") else None
        answer = down.client.open(path, method=method, data=form, json=json)

        assert answer.status_code == 503, path
        assert 5 <= int(answer.headers["Retry-After"]) <= 30, path
        if answer.mimetype == "text/html":
            assert "Réessayez dans un instant." in answer.text
        assert [record.levelname for record in caplog.records] == ["ERROR"], path
        assert "\n" not in caplog.records[0].getMessage()


def test_an_uplink_is_told_to_come_later_while_the_database_is_down(down: Hq) -> None:
    answer = down.up(down.event("slip_exploded", {}))

    assert (answer.status_code, answer.json["code"], "Retry-After" in answer.headers) == (503, "unavailable", True)


def test_health_and_static_files_need_no_database(down: Hq) -> None:
    assert down.client.get("/healthz").status_code == 200
    assert down.client.get("/readyz").status_code == 503
    [style] = re.findall(r'"(/static/\w+/tokens\.css)"', down.client.get("/console/login").text)
    assert down.client.get(style).status_code == 200


def test_a_form_of_a_million_fields_is_refused_before_it_is_taken_apart(hq: Hq) -> None:
    client = hq.client
    for body in (b"a&" * 30_000, b"a=b&" * 1_000_000):
        began = time.process_time()
        answer = post(client, body)

        assert answer == 413
        assert time.process_time() - began < 0.2


def test_a_query_of_thousands_of_fields_is_refused(hq: Hq) -> None:
    assert hq.client.get("/console/login?" + "a&" * 5000).status_code == 413


def post(client: FlaskClient, body: bytes) -> int:
    kind = "application/x-www-form-urlencoded"
    return client.post("/console/login", data=body, content_type=kind).status_code


def test_a_nul_character_takes_nothing_down_wherever_it_is_sent(hq: Hq) -> None:
    seller, owner = Seller(hq), desk(hq, 1)
    log_in(hq)
    for browser, path, status in (
        (owner, "/seller/imports/%00", 404),
        (owner, "/seller/invoices?before=%00", 200),
        (hq.client, "/console/orders?q=a%00b", 200),
        (hq.client, "/sku/%00?market=%00&lang=%00", 404),
        (hq.client, "/?%00=1", 200),
    ):
        assert browser.get(path).status_code == status, path
    stranger = hq.app.test_client(use_cookies=False)
    for path, cookie in (("/payments/x/return", "paying"), ("/my-orders", "customer"), ("/seller", "desk")):
        assert stranger.get(path, headers={"Cookie": rf'comptoir_{cookie}="\000.a"'}).status_code == 303, path
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        answer = hq.app.test_client().post(
            "/seller/login", data={"email": "owner-1@vendeur.example\0", "password": PASSWORD}, content_type=kind
        )
        assert answer.location == "/seller", "in a form nobody typed it: it is left out"
    event = {"eventId": "1", "event": {"productOrder": {"externalId": "\0"}}}
    assert hq.client.post("/activations/events", json=event).status_code == 400
    for method, path, body, status in (
        ("GET", "/imports/%00", None, 404),
        ("GET", "/listings?cursor=%00", None, 200),
        ("PUT", "/listings/a%00b", LISTING, 404),
        ("PUT", "/listings/a", {**LISTING, "comment": "a\0b"}, 422),
        ("PUT", "/listings/a", {**LISTING, "ean": "\0"}, 422),
    ):
        assert seller.ask(method, path, json=body).status_code == status, path
    assert seller.put().status_code == 201
