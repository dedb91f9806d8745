from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from marketplace.db import changed, reading, run_tx
from marketplace.feeds.imports import import_feed
from marketplace.installation import sync_path
from marketplace.publishing import publications, terms
from marketplace.tables import metadata
from pos import clock, tokens
from pos.languages import LANGUAGES
from pos.tokens import TokenLine
from tests.marketplace import world
from tests.marketplace.events.test_inbox import slip_body
from tests.marketplace.hq import CONTACT, IPHONE_13, IPHONE_13_WITH_PLAN, LAST_IPHONE_12, URL, Hq, quiet, words
from tests.pos.test_origins import FOREIGN_FORMS, HOSTS, OWN_FORMS, origin
from tests.sentences import months_in, plain


def test_the_page_shows_the_selection_its_sellers_and_both_guarantees(hq: Hq) -> None:
    answer = hq.client.get(f"/k/{hq.digits(IPHONE_13_WITH_PLAN, LAST_IPHONE_12)}")
    page = words(answer)
    assert answer.status_code == 200
    for text in ("iPhone 13", "Très bon état", "Atelier Loire SAS", "Phare Ouest SAS", "Série 100 Go", "Réparation illimitée"):
        assert text in page
    for text in ("Garantie légale de conformité : 2 ans", "Garantie commerciale : 24 mois", "TVA sur la marge"):
        assert text in page
    assert "419,00 €" in page, "170.00 and 249.00 today"
    assert "Le prix n’a pas changé" in page


def test_every_month_of_the_slip_and_its_order_is_said(hq: Hq) -> None:
    """A promotion of a year on one line, a plan without one on two: the months differ though no line's do in the same way."""
    hq.speak(*LANGUAGES)
    libre = TokenLine(listing_id=12, plan_id=1, quantity=2, one_off_cents=74600, monthly_cents=1998)
    digits = hq.digits(IPHONE_13_WITH_PLAN, libre)
    first, then = 1499 + 699 + 1998, 2499 + 699 + 1998
    whole = [first] * 12 + [then] * 12
    of_lines = [[2198] * 12 + [3198] * 12]

    slip = f"/k/{digits}"
    pages = {(slip, language): hq.client.get(f"{slip}?lang={language}").text for language in LANGUAGES}
    order = hq.claim(digits).location
    pages |= {(order, language): hq.client.get(f"{order}?lang={language}").text for language in LANGUAGES}
    for page, text in pages.items():
        said = months_in(plain(text), page[1])
        assert whole in said, page
        assert all(months in (whole, *of_lines) for months in said), page


@pytest.mark.parametrize(("gigabytes", "said"), [(1024, "1 To"), (1000, "1 To"), (128, "128 Go")])
def test_a_capacity_is_said_as_on_the_kiosk(hq: Hq, gigabytes: int, said: str) -> None:
    rows = world.world()
    rows["skus"][0]["storage_gb"] = gigabytes
    hq.import_world(rows)
    hq.publish()

    page = words(hq.client.get(f"/k/{hq.digits(IPHONE_13_WITH_PLAN)}"))
    assert f"{said} · bleu" in page
    assert "batterie à 90 %" in page
    assert "6,99 € par mois" in page


def test_a_device_nobody_knows_yet_waits(hq: Hq) -> None:
    answer = hq.client.get(f"/k/{hq.digits(key=Ed25519PrivateKey.generate())}")
    assert answer.status_code == 202
    assert "Nous attendons des nouvelles" in answer.text
    assert hq.claim(hq.digits(key=Ed25519PrivateKey.generate())).status_code == 202


def test_every_flipped_bit_after_the_key_is_refused(hq: Hq) -> None:
    data = tokens.from_digits(hq.digits())
    for bit in range(0, len(data) * 8, 7):
        spoilt = bytearray(data)
        spoilt[bit // 8] ^= 1 << bit % 8
        status = hq.client.get(f"/k/{tokens.to_digits(bytes(spoilt))}").status_code
        assert status == (202 if 16 <= bit < 48 else 400), bit


@pytest.mark.parametrize(
    "digits",
    [
        "abc",
        "1" * 149,
        "0" + "1" * 300,
        "1" * 902,
        "1" * 2000,
        "9" * 900,
        "-" + "1" * 300,
        "1_" * 150,
        "１" * 300,
        "1" * 300 + " ",
    ],
)
def test_wild_addresses_are_refused_before_any_arithmetic(hq: Hq, digits: str) -> None:
    hq.client.get("/k/1")  # the page's own parts are made at its first use
    start = time.thread_time()
    answer = hq.client.get(f"/k/{digits}")
    assert answer.status_code == 400
    assert "pas lisible" in answer.text
    assert time.thread_time() - start < 1
    assert hq.claim(digits).status_code == 400


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=400))
def test_no_address_breaks_the_page(hq: Hq, text: str) -> None:
    assert hq.client.get("/k/" + text.replace("/", "").replace("?", "").replace("#", "")).status_code in (200, 400, 404, 405)


def test_an_address_that_another_key_signed_is_refused(hq: Hq) -> None:
    data = bytearray(tokens.from_digits(hq.digits(key=Ed25519PrivateKey.generate())))
    data[2:6] = bytes.fromhex(hq.key_id)
    answer = hq.client.get(f"/k/{tokens.to_digits(bytes(data))}")
    assert answer.status_code == 400
    assert "n’a pas été émis par nos magasins" in answer.text


def test_amounts_that_are_not_hqs_are_told_and_never_charged(hq: Hq) -> None:
    cheap = tokens.TokenLine(listing_id=11, one_off_cents=100, monthly_cents=0)
    digits = hq.digits(cheap)
    assert "annonce d’autres montants" in hq.client.get(f"/k/{digits}").text
    hq.claim(digits)
    assert hq.rows("select total_cents from order_line") == [{"total_cents": 36900}]
    assert hq.rows("select difference from claim") == [{"difference": "token"}]


def test_a_slip_of_a_publication_hq_never_made_costs_todays_prices(hq: Hq) -> None:
    page = words(hq.client.get(f"/k/{hq.digits(IPHONE_13, publication=99)}"))
    assert "369,00 €" in page, "the newest terms at or before it"
    page = words(hq.client.get(f"/k/{hq.digits(IPHONE_13, publication=0, counter=2)}"))
    assert "Le prix d’aujourd’hui s’applique" in page


def test_an_issue_time_in_the_future_does_not_prolong_a_slip(hq: Hq) -> None:
    page = words(hq.client.get(f"/k/{hq.digits(IPHONE_13, hours=24, issued=clock.now() + timedelta(days=900))}"))
    assert str((clock.now() + timedelta(days=1)).year) in page.split("Valable")[1][:60]


@pytest.mark.parametrize("hours", [337, 10_000, 2**40 - 1])
def test_no_token_makes_a_slip_valid_for_longer_than_slips_are(hq: Hq, hours: int) -> None:
    issued = clock.now() - timedelta(days=15)
    run_tx(hq.engine, lambda connection: changed(connection, "update sync_publication set published_at = '2026-01-01T00:00:00Z'"))
    assert "a expiré" in words(hq.client.get(f"/k/{hq.digits(IPHONE_13, hours=hours, issued=issued)}"))
    assert "Valable jusqu" in words(hq.client.get(f"/k/{hq.digits(IPHONE_13, hours=hours, counter=2)}"))


def test_a_brand_is_said_once(hq: Hq) -> None:
    rows = world.world()
    rows["skus"][0] |= {"brand": "Fairphone", "model": "Fairphone 4"}
    hq.import_world(rows)
    page = words(hq.client.get(f"/k/{hq.digits(IPHONE_13)}"))
    assert "Fairphone 4" in page
    assert "Fairphone Fairphone" not in page


def test_instalments_bring_the_credit_notice(hq: Hq) -> None:
    rows = world.world()
    for plan_id, deposit_cents in ((3, 4900), (4, 4500)):
        spread = {"instalment_months": 24, "deposit_cents": deposit_cents, "device_discount_cents": 0}
        rows["plans"].append(world.plan(plan_id, "Étalée", **spread))
    hq.import_world(rows)
    hq.publish()
    line = tokens.TokenLine(listing_id=11, plan_id=3, one_off_cents=5000, monthly_cents=2834)
    page = " ".join(words(hq.client.get(f"/k/{hq.digits(line, publication=2)}")).split())
    assert "Un crédit vous engage." in page
    assert "TAEG fixe de 0 %." in page
    even = tokens.TokenLine(listing_id=11, plan_id=4, one_off_cents=4600, monthly_cents=2849)
    assert "puis 24 mensualités de 13,50 €. Montant total du crédit" in " ".join(
        words(hq.client.get(f"/k/{hq.digits(even, publication=2, counter=2)}")).split()
    )
    assert "Prix comptant 369,00 €, acompte 49,00 €, puis 23 mensualités de 13,34 € et une dernière de 13,18 €" in page


def test_reading_never_writes(hq: Hq) -> None:
    def contents() -> str:
        with reading(hq.engine) as connection:
            return json.dumps({table.name: [list(map(str, row)) for row in connection.execute(select(table))]
                               for table in metadata.tables.values()})  # fmt: skip

    before = contents()
    for path in (
        f"/k/{hq.digits()}",
        f"/k/{hq.digits(hours=0)}",
        "/",
        "/metrics",
        "/healthz",
        "/readyz",
        "/sync/v1/metadata/timestamp.json",
    ):
        with hq.client.get(path) as answer:
            assert answer.status_code == 200
    assert contents() == before


def test_headers_keep_the_address_private_and_the_page_inert(hq: Hq) -> None:
    headers = hq.client.get(f"/k/{hq.digits()}").headers
    assert headers["Referrer-Policy"] == "same-origin"
    assert "noindex" in headers["X-Robots-Tag"]
    assert "unsafe-inline" not in headers["Content-Security-Policy"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Cache-Control"] == "no-store"


def test_a_slip_is_ordered_from_our_page_in_every_browser(hq: Hq) -> None:
    for browser, places in OWN_FORMS.items():
        for place, told in places.items():
            for sent in (origin(place), "null"):
                path, base = f"/k/{hq.digits()}/claim", f"http://{HOSTS[place]}"
                answer = hq.client.post(path, data=CONTACT, headers={**told, "Origin": sent}, base_url=base)
                assert answer.status_code == 303, f"{browser}, {place}, Origin {sent}"


def test_no_form_of_another_site_orders(hq: Hq) -> None:
    for name, headers in FOREIGN_FORMS.items():
        answer = hq.client.post(f"/k/{hq.digits()}/claim", data=CONTACT, headers=headers, base_url=URL)
        assert answer.status_code == 403, name
        assert "Cette demande vient d’un autre site." in answer.text
    assert hq.rows("select * from customer_order") == []


def test_english_by_browser_by_address_and_remembered(hq: Hq) -> None:
    path = f"/k/{hq.digits()}"
    assert "ready to order" in hq.client.get(path, headers={"Accept-Language": "en-GB,en;q=0.9"}).text
    assert "prête à commander" in hq.client.get(path).text
    assert "ready to order" in hq.client.get(f"{path}?lang=en").text
    assert "ready to order" in hq.client.get(path).text, "the choice is remembered"


@pytest.mark.parametrize(
    ("chosen", "browser", "read"),
    [("", "", "de"), ("", "ja, *;q=0.5", "de"), ("", "en-GB,en;q=0.9,de;q=0.5", "en"), ("fr", "en", "fr")],
)
def test_a_slip_is_read_in_the_language_chosen_else_the_browser_s_else_its_own(
    hq: Hq, chosen: str, browser: str, read: str
) -> None:
    """A slip printed in German, scanned with an English telephone, is read in English."""
    hq.speak("fr", "ar", "en", "de")
    body = slip_body(hq)
    hq.up(hq.event("slip_issued", body | {"facts": {**body["facts"], "language": "de"}}))
    told = {"Accept-Language": browser} if browser else {}
    if chosen:
        hq.client.set_cookie("language", chosen)

    page = hq.client.get(f"/k/{body['digits']}", headers=told)
    order = hq.client.post(f"/k/{body['digits']}/claim", data=CONTACT, headers=told).location

    assert page.headers["Content-Language"] == read
    assert hq.rows("select language from customer_order") == [{"language": read}]
    assert hq.client.get(order).headers["Content-Language"] == read, "of whoever opens it again without a word"


OTHER = {"sku": "IPHONE-12-128-BLUE", "title": "Apple iPhone 12", "storage_gb": 128, "grade": {"fr": "Très bon état"}}


@pytest.mark.parametrize(
    ("compared", "is_told"),
    [
        ([OTHER | {"figures": {"price_cents": [36900, 25900]}}], True),
        ([OTHER | {"figures": {"price_cents": "36900"}}], False),
        ([{"sku": "IPHONE-12-128-BLUE"}], False),
        ("IPHONE-12-128-BLUE", False),
        ([], False),
    ],
)
def test_what_was_compared_in_the_store_is_said_at_home_once_the_kiosk_has_told(hq: Hq, compared: object, is_told: bool) -> None:
    body = slip_body(hq)
    path = f"/k/{body['digits']}"
    assert "Comparé à" not in hq.client.get(path).text, "it is in no token"

    [line] = body["facts"]["lines"]
    line |= {"listing": line["listing"] | {"sku": "IPHONE-13-128-BLUE"}, "compared": compared}
    hq.up(hq.event("slip_issued", body))
    page = hq.client.get(path)

    assert page.status_code == 200
    assert ("Comparé à : Apple iPhone 12 128 Go (Très bon état), 110,00 € de moins." in plain(page.text)) == is_told
    assert ('href="/compare?sku=IPHONE-13-128-BLUE&amp;sku=IPHONE-12-128-BLUE&amp;market=fr"' in page.text) == is_told


def test_a_slip_whose_kiosk_was_not_heard_yet_is_read_in_its_corner_s_first_language(hq: Hq) -> None:
    hq.speak("fr", "en")
    [corner] = hq.rows("select body from corner where corner_id = 'nantes-crebillon'")
    body = json.dumps({**json.loads(corner["body"]), "languages": ["en", "fr"]})
    hq.write("update corner set body = :body where corner_id = 'nantes-crebillon'", body=body)

    assert hq.client.get(f"/k/{hq.digits()}").headers["Content-Language"] == "en"


def test_the_history_prices_every_publication(hq: Hq) -> None:
    hq.change(l11={"price": "349.00"})
    hq.change(l11=None)
    hq.change(l11={"price": "300.00"})
    with reading(hq.engine) as connection:
        found = [terms.terms_at(connection, "listing", 11, market="fr", publication=each) for each in range(6)]
    assert [each and (each["price_cents"], each["withdrawn"]) for each in found] == [
        None, (36900, 0), (34900, 0), (34900, 1), (30000, 0), (30000, 0),
    ]  # fmt: skip


def test_each_market_has_a_history_of_its_own(hq: Hq) -> None:
    """Publications are counted by market, and a listing may move from one to another."""
    usual = {"market": "us", "currency": "USD"}
    for number, moved in enumerate(({}, usual)):
        supply = world.listings(l12=moved, l13=usual)
        feed = world.write_feed(hq.directory / f"two{number}", None, supply, markets=world.TWO_MARKETS)
        import_feed(hq.engine, feed, static=sync_path(hq.directory), progress=quiet)
        hq.publish()
    assert hq.rows(
        "select market, publication, withdrawn from listing_terms where listing_id = 12 order by market, publication"
    ) == [
        {"market": "fr", "publication": 1, "withdrawn": 0},
        {"market": "fr", "publication": 3, "withdrawn": 1},
        {"market": "us", "publication": 2, "withdrawn": 0},
    ]  # fmt: skip
    with reading(hq.engine) as connection:
        assert terms.terms_now(connection, "listing", 12, market="fr") is None
        assert terms.terms_now(connection, "listing", 12, market="us") is not None
        for table, key in (("listing", 11), ("plan", 1), ("option", 1)):
            assert terms.terms_at(connection, table, key, market="us", publication=9) is None, table


def test_a_history_that_missed_a_publication_is_made_good(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    hq.import_world(l11={"price": "349.00"})
    with monkeypatch.context() as broken:
        broken.setattr(publications, "record_terms", lambda *_, **__: None)
        assert hq.publish() == 2
    assert hq.publish() is None
    assert hq.rows("select publication from terms_mark") == [{"publication": 2}]
    assert hq.rows("select price_cents from listing_terms where listing_id = 11 and publication = 2") == [{"price_cents": 34900}]
