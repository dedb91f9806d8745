"""Every route of both apps: an unsafe one refuses other sites, a safe one writes nothing, and none is left untried."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

import kiosk.app
import marketplace.app
from marketplace.installation import replica_path
from marketplace.setup import create_installation
from pos import clock, selections, slips
from pos.db import connect
from tests import world
from tests.journeys.traded import is_page
from tests.world import Kiosk

TESTS = Path(__file__).parents[1]
SAFE = {"GET", "HEAD", "OPTIONS"}
FOREIGN = (
    {"Origin": "https://evil.test"},
    {"Origin": "http://[::1"},
    {"Origin": "http://localhost.evil.test"},
    {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://sister.localhost"},
)
UNTOLD = {"Origin": "null"}
# What needs no cookie does for a stranger what it does for anybody: the order of whoever holds the slip or knows its address, the
# log-in of whoever knows the password, the protocol of whoever holds the key, the selection of whoever knows its address, a
# company's application, the password of whoever holds its link, the code of whoever scanned it: that writes nothing.
OPEN_TO_UNTOLD = {
    "/k/<digits>/claim",
    "/console/login",
    "/activations/events",
    "/orders/<order_id>/activations/<int:line_no>/<int:unit_no>/choice",
    "/orders/<order_id>/activations/<int:line_no>/<int:unit_no>/number",
    "/orders/<order_id>/cancellation",
    "/orders/<order_id>/consent",
    "/orders/<order_id>/substitution",
    "/orders/<order_id>/claims",
    "/orders/<order_id>/delivery",
    "/orders/<order_id>/messages",
    "/orders/<order_id>/returns",
    "/orders/<order_id>/returns/<case_name>/removal",
    "/orders/<order_id>/returns/<case_name>/shipment",
    "/orders/<order_id>/withdrawal",
    "/orders/<order_id>/payment",
    "/payments/events",
    "/scans",
    "/sell",
    "/seller/login",
    "/sign-in",
    "/sign-in/<owner_id>/<secret>",
    "/seller/password/<int:seller_id>/<secret>",
    "/sync/v1/up",
    "/sync/v1/enrolments",
    "/selections",
    "/selections/<selection_id>/lines",
    "/selections/<selection_id>/order",
    "/selections/<selection_id>/lines/<int:line_no>",
    "/selections/<selection_id>/lines/<int:line_no>/removal",
    "/selections/<selection_id>/lines/<int:line_no>/acceptance",
}
# What stands for each part of an address; a new kind of part is added here, so that its routes are tried.
PARTS = {
    "code": "IPHONE-13-128-BLUE",
    "partner": "loire-mobile",
    "payment_id": "0190a1b2-0000-7000-8000-000000000000",
    "color": "1b4f9c",
    "job_id": "1",
    "line_no": "1",
    "unit_no": "1",
    "selection_id": "fr.0123456789abcdef0123456789abcdef",
    "number": "35-0001-H",
    "position": "A1",
    "sheet_no": "1",
    "label_no": "1",
    "demo_id": "BJYTB2ZQ",
    "event_no": "1",
    "round_no": "1",
    "clerk_id": "idriss",
    "digits": "1" * 200,
    "order_id": "0190a1b2-0000-7000-8000-000000000000",
    "corner_id": "nantes-crebillon",
    "counter": "1",
    "call_no": "1",
    "key_id": "56475aa7",
    "stream": "0123456789abcdef",
    "seq": "1",
    "filename": "tokens.css",
    "path": "tokens.css",
    "version": "0",
    "name": "phone",
    "market": "fr",
    "account": "bank",
    "customer_id": "0190a1b2-0000-7000-8000-000000000000",
    "refund_id": "0190a1b2-0000-7000-8000-000000000000",
    "payout_id": "2026-12-06-EUR",
    "fee_invoice_no": "1",
    "file_id": "0190a1b2-0000-7000-8000-000000000000",
    "day": "2026-12-06",
    "month": "2026-12",
    "partner_id": "loire-mobile",
    "after": "0",
    "sha256": "a" * 64,
    "file": "plans",
    "key": "1",
    "seller_id": "1000000000",
    "document_no": "1",
    "user_id": "0190a1b2-0000-7000-8000-000000000000",
    "secret": "s3cr3t",
    "case_name": "0190a1b2-0000-7000-8000-000000000000:1:1:1",
    "withdrawal_no": "1",
    "owner_id": "a" * 32,
    "part_id": "0190a1b2-0000-7000-8000-000000000000",
    "listing_id": "100000000",
    "import_id": "0190a1b2-0000-7000-8000-000000000000",
}


@pytest.fixture
def records(kiosk: Kiosk) -> dict[str, str]:
    """A selection with a line and its slip, as addresses need them."""
    with kiosk.ops_write() as ops:
        catalog, now = kiosk.catalog.read(), clock.now()
        selection_id = selections.start_selection(ops.execute, now=now)
        wish = selections.Wish(listing_id=101, plan_id=world.SERIE_100)
        selections.add_line(ops.execute, catalog, selection_id, wish=wish, now=now)
        slip = slips.issue_slip(ops, catalog, selection_id, device=kiosk.device, seen=None, language="fr", now=now)
    return {"selection_id": selection_id, "number": slip.number}


@pytest.fixture
def kiosk_app(kiosk: Kiosk) -> Flask:
    return kiosk_app_of(kiosk.directory)


@pytest.fixture
def marketplace_app(tmp_path: Path, kiosk: Kiosk) -> Iterator[Flask]:
    """A marketplace that published what the kiosk holds."""
    directory = tmp_path / "hq"
    create_installation(directory, database=None, public_url="http://localhost")
    replica = replica_path(directory, "fr")
    replica.parent.mkdir()
    with closing(connect(replica, durable=False)) as copy:
        kiosk.catalog.read().conn.backup(copy.conn)
    app = marketplace.app.create_app(directory)
    yield app
    app.extensions["marketplace"].engine.dispose()


def kiosk_app_of(directory: Path) -> Flask:
    return kiosk.app.create_app(directory, sync=False)


def rules(app: Flask) -> list[Rule]:
    return sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule)


def address(rule: Rule, parts: dict[str, str]) -> str:
    return re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", lambda match: parts[match[1]], rule.rule)


def unsafe(app: Flask, parts: dict[str, str]) -> Iterator[tuple[str, str]]:
    for rule in rules(app):
        for method in sorted((rule.methods or set()) - SAFE):
            yield method, address(rule, parts)


def refuses(client: FlaskClient, tried: list[tuple[str, str]], *headers_of: dict[str, str]) -> None:
    for method, path in tried:
        for headers in headers_of:
            answer = client.open(path, method=method, headers=headers)
            assert answer.status_code == 403, f"{method} {path} from {headers} answered {answer.status_code}"


def test_every_unsafe_kiosk_route_refuses_other_sites(kiosk: Kiosk, kiosk_app: Flask, records: dict[str, str]) -> None:
    client = kiosk_app.test_client()
    log_in(client)
    before = contents(kiosk)
    tried = list(unsafe(kiosk_app, {**PARTS, **records}))

    assert len(tried) > 10
    refuses(client, tried, *FOREIGN, UNTOLD)
    assert contents(kiosk) == before


def test_every_unsafe_marketplace_route_refuses_other_sites(marketplace_app: Flask) -> None:
    tried = list(unsafe(marketplace_app, PARTS))

    assert len(tried) > 4
    refuses(marketplace_app.test_client(), tried, *FOREIGN)


def test_whatever_the_marketplace_does_by_a_cookie_refuses_who_does_not_say_where_they_come_from(marketplace_app: Flask) -> None:
    acting = [address(rule, PARTS) for rule in rules(marketplace_app) if rule.rule not in OPEN_TO_UNTOLD]
    tried = [(method, path) for method, path in unsafe(marketplace_app, PARTS) if path in acting]

    assert len(tried) > 10
    refuses(marketplace_app.test_client(), tried, UNTOLD)


def test_no_get_of_the_kiosk_writes(kiosk: Kiosk, kiosk_app: Flask, records: dict[str, str]) -> None:
    """For a customer and for a clerk; `data_version` moves with any commit of anybody else."""
    watched = [connect(kiosk.directory / name, durable=False) for name in ("catalog.db", "ops.db")]
    stranger, clerk = kiosk_app.test_client(), kiosk_app.test_client()
    log_in(clerk)
    found = 0
    for rule in rules(kiosk_app):
        if "GET" not in (rule.methods or ()):
            continue
        path = address(rule, {**PARTS, **records})
        for query in ("", f"?s={records['selection_id']}&q=iphone&sku=IPHONE-13-128-BLUE&sku=GALAXY-S22-256-GREEN"):
            for client in (stranger, clerk):
                before = [database.execute("pragma data_version").fetchone() for database in watched]
                answer = client.get(path + query)
                after = [database.execute("pragma data_version").fetchone() for database in watched]
                assert before == after, f"GET {path} writes"
                assert answer.status_code < 500, f"GET {path} answered {answer.status_code}"
                found += answer.status_code == 200
    for database in watched:
        database.close()
    assert found > 30


@pytest.mark.parametrize("part", ["kiosk", "marketplace"])
def test_every_address_a_browser_may_show_can_be_read(part: str, request: pytest.FixtureRequest, records: dict[str, str]) -> None:
    """A form's own address, opened again, shared or asked for in another language, leads to the page of the form."""
    app: Flask = request.getfixturevalue(f"{part}_app")
    client = app.test_client()
    readable = {rule.rule for rule in rules(app) if "GET" in (rule.methods or ())}
    only_posted = [rule for rule in rules(app) if rule.rule not in readable and not rule.rule.startswith("/sync/")]
    answers = {rule.rule: client.get(address(rule, {**PARTS, **records}) + "?lang=en") for rule in only_posted}

    assert len(only_posted) > 8
    assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 303} == {}
    for path, answer in answers.items():
        where = answer.location.partition("?")[0]
        assert answer.location.endswith("?lang=en"), path
        assert client.get(where).status_code in (200, 303, 308, 400, 404), (path, where)


@pytest.mark.parametrize("part", ["kiosk", "marketplace"])
def test_every_route_is_tried_by_some_test(part: str, request: pytest.FixtureRequest) -> None:
    """Its address stands in a test of the part itself, in a journey, or in the test of another part that uses it."""
    app: Flask = request.getfixturevalue(f"{part}_app")
    tests = [path for path in TESTS.rglob("*.py") if "rules" not in path.parts]
    text = "\n".join(path.read_text(encoding="utf-8") for path in tests)
    untried = [rule.rule for rule in rules(app) if rule.endpoint != "static" and not re.search(mention(rule), text)]

    assert untried == []


@pytest.mark.parametrize("part", ["kiosk", "marketplace"])
def test_every_page_is_among_the_screens_that_are_looked_at(part: str, request: pytest.FixtureRequest) -> None:
    """Its address stands there; those of the console and of the sellers' desk are taken from the routes themselves."""
    app: Flask = request.getfixturevalue(f"{part}_app")
    text = "\n".join((TESTS / "journeys" / name).read_text(encoding="utf-8") for name in ("pages.py", "traded.py"))
    pages = [rule for rule in rules(app) if is_page(rule) and not rule.rule.startswith(("/console", "/seller"))]
    unseen = [rule.rule for rule in pages if not re.search(mention(rule), text)]

    assert len(pages) > 15
    assert unseen == []


def mention(rule: Rule) -> str:
    """Return the pattern of the rule's address in a text, each part of it a value or a `{name}`."""
    fixed = re.split(r"<[^>]*>", rule.rule)
    return r"""(?<=["'}\d])""" + r"""[^"'/?\s]+""".join(map(re.escape, fixed)) + r"""(?=["'?#])"""


def contents(kiosk: Kiosk) -> list[list[tuple[object, ...]]]:
    tables = (
        "selection",
        "selection_line",
        "slip",
        "slip_void",
        "outbox",
        "print_job",
        "printer",
        "demo_device_event",
        "demo_round",
        "demo_place",
        "demo_turn",
        "clerk_session",
        "clerk_secret",
        "clerk_change",
        "setting",
    )
    return [list(kiosk.ops.read().execute(f"select * from {table}")) for table in tables]


def log_in(client: FlaskClient) -> None:
    answer = client.post("/counter/session", data={"clerk": "camille", "pin": world.PIN})
    assert answer.status_code == 303
