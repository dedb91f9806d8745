"""The shop's second door: the same pages at home, from the replica of the visitor's market."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from marketplace.app import create_app
from marketplace.db import database_url, execute_on, open_engine, reading, row, run_tx
from marketplace.installation import replica_path
from marketplace.running.housekeeping import SELECTIONS_KEPT
from marketplace.setup import create_installation
from marketplace.upgrades import upgrade
from pos import clock
from pos.db import connect
from pos.throttle import Execute
from shop.door import Door
from tests.marketplace.hq import Hq, words
from tests.selections_contract import Kept, SelectionsContract
from tests.world import Kiosk

PAGES = (
    "/",
    "/home",
    "/browse",
    "/browse?q=iphone",
    "/browse/results?q=iph",
    "/browse/more",
    "/sku/IPHONE-13-128-BLUE",
    "/sku/IPHONE-13-128-BLUE?plan=2&option=1",
    "/sku/IPHONE-13-128-BLUE/bundle",
    "/compare?sku=IPHONE-13-128-BLUE&sku=IPHONE-12-128-BLUE",
    "/plans",
    "/how-it-works",
    "/grades",
    "/sku/IPHONE-13-128-BLUE/prices?grade=GOOD",
    "/selections/new?l=11.2.1.port.1",
)


class TestSelectionsAtHq(SelectionsContract):
    @pytest.fixture
    def kept(self, database: str | None, tmp_path: Path, kiosk: Kiosk) -> Iterator[Kept]:
        engine = open_engine(database or database_url(tmp_path))
        upgrade(engine, say=print)

        @contextmanager
        def read() -> Iterator[Execute]:
            with reading(engine) as connection:
                yield execute_on(connection)

        def write(work):  # type: ignore[no-untyped-def]  # as the door's own
            return run_tx(engine, lambda connection: work(execute_on(connection)))

        yield Kept(read=read, write=write, kiosk=kiosk, market="fr")
        engine.dispose()


def kept_selections(engine: Engine) -> int:
    with reading(engine) as connection:
        found = row(connection, "select count(*) as n from selection")
    return int(found["n"]) if found else 0


@pytest.mark.parametrize("path", PAGES)
def test_every_page_of_the_shop_is_served_at_home_and_writes_nothing(hq: Hq, path: str) -> None:
    answer = hq.client.get(path)

    assert answer.status_code == 200
    assert kept_selections(hq.engine) == 0
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_selection_is_composed_at_home(hq: Hq) -> None:
    client = hq.client
    page = client.get("/sku/IPHONE-13-128-BLUE?plan=2").text
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w*)"', page))

    where = client.post("/selections", data=fields).headers["Location"]
    shown = client.get(where).text
    assert re.fullmatch(r"/selections/fr\.[0-9a-f]{32}", where)
    assert "iPhone 13" in shown
    assert "Série 100 Go" in shown
    assert f'href="{where}/order"' in shown
    assert "Mon bon" not in shown
    assert client.post(f"{where}/lines", data={"listing": "21"}).status_code == 303
    assert client.post(f"{where}/lines/1/acceptance").status_code == 303
    assert client.delete(f"{where}/lines/1").status_code == 303
    assert client.post(f"{where}/lines/2/removal").status_code == 303
    assert "Elle est vide." in client.get(where).text


def test_a_described_selection_is_stored_only_when_asked(hq: Hq) -> None:
    described = "/selections/new?l=11.2.1.port.1&l=12..1.new."
    page = hq.client.get(described).text
    assert "Garder cette sélection" in page
    assert kept_selections(hq.engine) == 0

    lines = re.findall(r'name="l" value="([^"]+)"', page)
    where = hq.client.post("/selections", data={"l": lines}).headers["Location"]
    assert lines == ["11.2.1.port.1", "12..1.new."]
    assert kept_selections(hq.engine) == 1
    assert hq.client.get(where).text.count("/removal") == 2


@pytest.mark.parametrize(
    "line", ["", "11", "11.2.1.gift.", "x.2.1.new.", "....", "11..0.new.", "11..10.new.", "11.2.1.new.1-x", "1" * 16]
)
def test_a_line_nobody_can_read_is_refused(hq: Hq, line: str) -> None:
    assert hq.client.get(f"/selections/new?l={line}").status_code == 400
    assert hq.client.post("/selections", data={"l": line}).status_code == 400
    assert kept_selections(hq.engine) == 0


def test_a_price_that_moved_is_said_with_todays_offer(hq: Hq) -> None:
    answer = hq.client.post("/selections", data={"listing": "11", "seen": "1"})

    assert answer.status_code == 409
    assert "Le prix vient de changer." in answer.text
    assert 'id="take"' in answer.text


def test_a_selection_is_forgotten_thirty_days_after_the_last_touch(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    where = hq.client.post("/selections", data={"listing": "11"}).headers["Location"]
    now = clock.now()
    for days, status in ((29, 200), (31, 404)):
        monkeypatch.setattr(clock, "now", lambda days=days: now + timedelta(days=days))
        hq.work()
        assert hq.client.get(where).status_code == status
    assert timedelta(days=30) == SELECTIONS_KEPT


def test_the_market_is_the_one_asked_for_chosen_before_or_of_the_browser(two_markets: FlaskClient) -> None:
    def sign(path: str = "/browse", accepted: str = "") -> str:
        return "$" if "$" in two_markets.get(path, headers={"Accept-Language": accepted}).text else "€"

    assert sign() == "€"
    assert sign(accepted="en-US,en;q=0.9") == "$"
    assert sign(accepted="de-DE") == "€"
    assert sign("/browse?market=nowhere") == "€"
    assert sign("/browse?market=us") == "$"
    assert sign(accepted="fr-FR") == "$", "chosen before"


def test_who_says_nothing_of_a_market_is_in_that_of_hq_s_first_corner(two_markets: FlaskClient) -> None:
    def add(corner: dict[str, object]) -> None:
        text = "insert into corner (corner_id, corner_no, market, body) values (:corner_id, :corner_no, :market, '{}')"
        run_tx(two_markets.application.extensions["marketplace"].engine, lambda connection: execute_on(connection)(text, corner))

    for corner_no, market in ((7, "us"), (9, "fr")):
        add({"corner_id": f"c{corner_no}", "corner_no": corner_no, "market": market})

    assert "$" in two_markets.get("/browse", headers={"Accept-Language": "en-GB"}).text
    assert "€" in two_markets.get("/browse", headers={"Accept-Language": "fr-FR"}).text


def test_an_example_of_a_price_is_of_the_market_that_is_asked_whoever_asked_first(two_markets: FlaskClient) -> None:
    for market, sign in (("us", "$"), ("fr", "€"), ("us", "$")):
        page = words(two_markets.get(f"/browse?market={market}&lang=fr&min=cher"))
        [example] = re.findall(r"Il s’écrit par exemple ([^<]+)\.", page)
        assert sign in example, market


def test_a_selection_stays_in_its_market(two_markets: FlaskClient) -> None:
    where = two_markets.post("/selections?market=us", data={"listing": "101"}).headers["Location"]
    assert where.startswith("/selections/us.")
    two_markets.get("/home?market=fr")

    assert "$" in two_markets.get(where).text
    assert "$" in two_markets.get(f"/browse?s={where[12:]}").text
    assert "€" in two_markets.get("/browse").text


def test_before_the_first_publication_the_shop_says_so(tmp_path: Path) -> None:
    directory = tmp_path / "hq"
    create_installation(directory, database=None, public_url="http://localhost")
    app = create_app(directory)
    for path in ("/", "/browse", "/sku/X", "/selections/new"):
        answer = app.test_client().get(path)
        assert (answer.status_code, "La boutique ouvre bientôt." in answer.text) == (503, True)
        assert "Retry-After" in answer.headers
    app.extensions["marketplace"].engine.dispose()


def test_a_publication_is_seen_by_the_worker_that_serves(hq: Hq) -> None:
    assert "iPhone 13" in hq.client.get("/browse").text
    door: Door = hq.app.extensions["shop"]
    replica = replica_path(hq.directory, "fr")
    other = replica.with_name("built-aside.db")
    with hq.app.test_request_context("/"):
        door.catalog()
    with closing(connect(other, durable=False, wal=False)) as copy, closing(connect(replica, durable=False)) as source:
        source.conn.backup(copy.conn)
        copy.execute("update sku set model = 'Téléphone neuf de nom'")
    other.rename(replica)
    for path in replica.parent.glob("fr.db-*"):
        path.unlink()

    assert "Téléphone neuf de nom" in hq.client.get("/browse").text


def test_a_torn_replica_is_said_and_takes_nothing_else_along(hq: Hq) -> None:
    replica = replica_path(hq.directory, "fr")
    replica.unlink()
    replica.write_bytes(b"torn" * 4096)

    assert hq.client.get("/browse").status_code == 503
    assert hq.client.get("/console/login").status_code == 200
