"""A new country is a folder of data: a made-up one, `tests/countries/vd`, is published, browsed, chosen from and ordered in.

It has a currency of three decimals, prices without tax, English first, numbers that move with an account and a PIN, and no
guarantee by law.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from demo.sample import write_feed
from demo.sample_markets import MARKETS
from kiosk.app import create_app as create_kiosk
from marketplace.app import create_app
from marketplace.db import open_engine, reading, rows
from marketplace.feeds.imports import import_feed
from marketplace.feeds.problems import FeedRefused
from marketplace.installation import read_installation, sync_path
from marketplace.publishing.publications import publish_all
from marketplace.setup import create_installation
from pos import ops, slips
from tests.corners import found_corner
from tests.marketplace.hq import CONTACT, URL, quiet, words

COUNTRY = Path(__file__).parents[1] / "countries" / "vd"
FRENCH_LAW = r"\bRIO\b|3179|\bL\d{3}-\d|[Ll]egal guarantee|\bVAT\b|[Pp]rivate copy|withdraw|Chatel|consumer code"
PHONE = "/sku/IPHONE-13-128-BLUE"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A marketplace with the sample's markets and the made-up one, imported and published."""
    place = tmp_path_factory.mktemp("countries")
    write_feed(place / "feed", listings=400, seed=3, added=[COUNTRY, without_law(place)])
    create_installation(place / "hq", database=None, public_url=URL)
    with engine_of(place / "hq") as engine:
        import_feed(engine, place / "feed", static=sync_path(place / "hq"), progress=quiet)
        published = publish_all(engine, place / "hq")
    assert set(published) == {"vd", "vx", *(path.name for path in MARKETS.iterdir())}
    return place / "hq"


def without_law(place: Path) -> Path:
    """Return another country, the same but for its name and that it says nothing of its law."""
    bare = Path(shutil.copytree(COUNTRY, place / "vx"))
    for name in ("laws", "corners", "options"):
        (bare / f"{name}.jsonl").unlink()
    for path in bare.iterdir():
        told = path.read_text("utf-8").replace('"vd"', '"vx"').replace("vale-mobile", "vex-mobile")
        path.write_text(re.sub(r'"(plan|seller)_id": ', r'"\1_id": 1', told), "utf-8")
    return bare


@contextmanager
def engine_of(directory: Path) -> Iterator[Engine]:
    """Lend the engine of a marketplace's database."""
    engine = open_engine(read_installation(directory).database)
    yield engine
    engine.dispose()


@pytest.fixture
def shop(directory: Path) -> Iterator[FlaskClient]:
    """A browser at home."""
    app = create_app(directory)
    yield app.test_client()
    app.extensions["marketplace"].engine.dispose()


@pytest.fixture
def corner(directory: Path, tmp_path: Path) -> Iterator[FlaskClient]:
    """The country's corner: a kiosk that HQ enrolled, with its document and its published catalogue."""
    found_corner(directory, tmp_path, "valeport-quay", url=URL)
    app = create_kiosk(tmp_path, sync=False)
    yield app.test_client()
    for store in (app.extensions["comptoir"].catalog, app.extensions["comptoir"].ops):
        store.close()


def test_at_home_the_country_speaks_its_language_and_its_money(shop: FlaskClient) -> None:
    page = shop.get("/browse?market=vd", headers={"Accept-Language": "ja"})

    assert page.headers["Content-Language"] == "en", "the first of its languages"
    assert re.findall(r'hreflang="(\w+)" lang', page.text) == ["en", "fr", "es"], "its own, in its order"
    assert re.search(r"KWD \d+\.\d{3}", words(page))
    device = words(shop.get(PHONE))
    assert "Vale 20 GB" in device
    assert "legal guarantee" not in device.lower(), "the country knows none"
    assert "21 days" in device
    assert "account number" in words(shop.get("/plans?acquisition=port"))
    partner = words(shop.get("/p/vale-mobile"))
    assert "<i></i>Vale Mobile</a>" in partner
    assert "/looks/5a2a7a.css" in partner


def test_a_country_that_says_nothing_of_its_law_is_held_to_nobody_else_s(shop: FlaskClient) -> None:
    pages = [shop.get(f"{address}?market=vx&lang=en&acquisition=port") for address in (PHONE, "/plans", "/how-it-works")]
    said = " ".join(map(words, pages))

    assert [page.status_code for page in pages] == [200] * 3
    assert re.findall(FRENCH_LAW, said) == []
    assert "To keep your number: it is asked for when ordering, never here." in said
    assert "Vale 50 GB" in said


def test_in_the_united_states_no_page_speaks_of_french_law(shop: FlaskClient) -> None:
    phone = "/sku/IPHONE-13-128-MIDNIGHT"
    pages = [
        f"{phone}?plan=13&acquisition=port",
        f"{phone}?acquisition=port",
        "/plans?acquisition=port",
        "/how-it-works",
        "/browse",
    ]
    shop.get("/home?market=us&lang=en")

    read = {address: words(shop.get(address)) for address in pages}
    found = {address: re.findall(FRENCH_LAW, page) for address, page in read.items()}
    assert {address for address, said in found.items() if said} == set(), found
    device = read[pages[0]]
    assert "$" in device
    assert "€" not in device
    assert "Taxes and fees included" in device, "the plan's"
    assert "Local tax is not included" in device, "the device's"
    assert "transfer PIN" in device
    assert "no commitment" in device.lower()
    assert "No device discount" not in device, "no plan here has one"
    kinds = re.findall(r"/browse\?category=(\w+)", words(shop.get("/home")))
    assert "phones" in kinds
    assert "vacuums" not in kinds, "nothing of that kind is on offer here"


@pytest.mark.parametrize(
    ("market", "guarantee", "carrier", "ending"),
    [("de", "2 years", "Allnet", "TKG § 56 Abs. 3"), ("es", "3 years", "Brisa", "RDL 1/2007, art. 74.4")],
)
def test_german_and_spanish_law_are_rows(shop: FlaskClient, market: str, guarantee: str, carrier: str, ending: str) -> None:
    page = words(shop.get(f"/sku/AIRPODS-PRO-2-WHITE?market={market}&lang=en"))
    assert f"Legal guarantee of conformity: {guarantee}" in page
    assert "14 days" in page
    plans = words(shop.get(f"/plans?market={market}&acquisition=port"))
    assert carrier in plans
    assert "it is asked for when ordering" in plans
    assert not re.search(r"RIO|3179|L\d{3}-", page + plans)
    assert f"({ending})" in plans, "how a plan that binds ends, and by which article"


def test_our_own_store_in_new_york_is_a_partner_of_its_market(shop: FlaskClient) -> None:
    page = shop.get("/p/comptoir-new-york", headers={"Accept-Language": "fr"})
    assert "<i></i>Comptoir New York</a>" in page.text
    assert "$" in page.text
    assert page.headers["Content-Language"] == "en"
    assert 'href="/plans' not in page.text, "it has none of its own"


def test_a_slip_of_the_country_s_corner_becomes_an_order_with_its_tax(
    corner: FlaskClient, shop: FlaskClient, directory: Path
) -> None:
    home = corner.get("/browse")
    assert '<html lang="en" dir="ltr"' in home.text
    listing = re.search(r'name="listing" value="(\d+)"', corner.get(f"{PHONE}?plan=90").text)
    assert listing is not None
    where = corner.post("/selections", data={"listing": listing[1], "plan": "90", "acquisition": "port"}).headers["Location"]
    assert re.search(r"KWD \d+\.\d{3}", words(corner.get(where)))
    number = corner.post(f"{where}/slip").headers["Location"].rpartition("/")[2]
    store = ops.open_ops(corner.application.extensions["comptoir"].directory / "ops.db")
    slip = slips.slip(store.read(), number)
    store.close()
    assert (slip.facts["currency"], slip.facts["tax_included"], slip.facts["language"]) == ("KWD", False, "en")

    page = words(shop.get(f"/k/{slip.digits}?zip=40123"))
    tax = re.search(r'name="seen_tax_cents" value="(\d+)"', page)
    assert tax is not None
    assert 'placeholder="1 Quay Street\nValeport VD-40123"' in shop.get(f"/k/{slip.digits}?zip=40123").text
    contact = CONTACT | {"address": "1 Quay Street, Valeport 40123", "seen_tax_cents": tax[1], "acquisition_1": "port"}
    assert "The post code is missing." in words(shop.post(f"/k/{slip.digits}/claim", data=contact)), "as it is written there"
    placed = shop.post(f"/k/{slip.digits}/claim", data=contact | {"address": "1 Quay Street, Valeport VD-40123"})

    assert placed.status_code == 303, words(placed)
    with engine_of(directory) as engine, reading(engine) as connection:
        [order] = rows(connection, "select currency, market, language from customer_order")
        [line] = rows(connection, "select tax_cents, owed_cents from order_line")
    assert order == {"currency": "KWD", "market": "vd", "language": "en"}
    assert line["tax_cents"] == int(tax[1]) > 0
    assert abs(line["tax_cents"] * 20 - line["owed_cents"]) < 20, "five per cent, in thousandths"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tax_included": True}, "says otherwise"),
        ({"languages": ["en", "xx"]}, "xx is none of"),
    ],
)
def test_a_country_that_contradicts_itself_is_refused(
    tmp_path: Path, directory: Path, change: dict[str, object], said: str
) -> None:
    write_feed(tmp_path / "feed", listings=50, seed=3, added=[COUNTRY])
    header = json.loads((tmp_path / "feed" / "feed.json").read_text("utf-8"))
    header["markets"]["vd"] |= change
    (tmp_path / "feed" / "feed.json").write_text(json.dumps(header), "utf-8")
    with engine_of(directory) as engine, pytest.raises(FeedRefused) as refused:
        import_feed(engine, tmp_path / "feed", static=sync_path(directory), progress=quiet)
    assert said in str(refused.value)
