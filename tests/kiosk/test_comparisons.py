"""What the slip says of a comparison, where its customer asks for it."""

from __future__ import annotations

import json
import re
from typing import Any

from flask.testing import FlaskClient

from kiosk.printing.slip_text import Text, blocks
from pos import catalog, tokens
from tests import world

BOTH = ("IPHONE-13-128-BLUE", "IPHONE-12-128-BLUE")


def keep(client: FlaskClient, *codes: str, s: str = "") -> str:
    """Keep a comparison and return the selection's id."""
    led = client.post("/comparisons", data={"sku": [*codes], "s": s, "grade": "GOOD"})
    assert led.status_code == 303
    assert led.headers["Location"].startswith("/compare?sku=IPHONE-13-128-BLUE&sku=IPHONE-12-128-BLUE")
    return led.headers["Location"].rpartition("s=")[2]


def issue(client: FlaskClient, selection_id: str) -> str:
    return str(client.post(f"/selections/{selection_id}/slip").headers["Location"])


def facts_of(kiosk: world.Kiosk) -> list[dict[str, Any]]:
    rows = kiosk.ops.read().execute("select facts from slip order by counter")
    return [json.loads(text) for (text,) in rows]


def on_paper(facts: Any, language: str = "fr") -> list[str]:
    told = [block.text for block in blocks(facts, language=language, copy_no=0) if isinstance(block, Text)]
    return [text.replace("\u00a0", " ") for text in told]


def test_a_slip_says_what_its_device_was_compared_with(kiosk: world.Kiosk, client: FlaskClient) -> None:
    page = client.get("/compare?sku=IPHONE-13-128-BLUE&sku=IPHONE-12-128-BLUE").text
    assert "Mettre cette comparaison sur mon bon" in page
    selection_id = keep(client, *BOTH)
    assert "Cette comparaison sera sur votre bon" in client.get(f"/compare?sku={BOTH[0]}&sku={BOTH[1]}&s={selection_id}").text
    client.post(f"/selections/{selection_id}/lines", data={"listing": "101"})

    where = issue(client, selection_id)

    [facts] = facts_of(kiosk)
    said = [text for text in on_paper(facts) if "Comparé à" in text]
    assert said == ["Comparé à : Apple iPhone 12 128 Go (Très bon état), 110,00 € de moins."]
    assert said[0] in client.get(where).text.replace("\u00a0", " ")
    assert "Compared with: Apple iPhone 12 128 GB (Good), €110.00 less." in on_paper(facts, "en")


def test_what_a_slip_says_of_a_comparison_stays_as_it_was_and_is_in_no_token(kiosk: world.Kiosk, client: FlaskClient) -> None:
    selection_id = keep(client, *BOTH)
    client.post(f"/selections/{selection_id}/lines", data={"listing": "101"})
    where = issue(client, selection_id)
    [before] = facts_of(kiosk)
    with kiosk.catalog.write() as database:
        database.execute("update listing set price_cents = 1000 where listing_id = 107")
        catalog.refresh(database, None, now=world.NOW)

    assert issue(client, selection_id) == where
    assert facts_of(kiosk) == [before]
    [(token,)] = kiosk.ops.read().execute("select token from slip").fetchall()
    client.post("/comparisons/removal", data={"s": selection_id})
    issue(client, selection_id)
    [(_,), (without,)] = kiosk.ops.read().execute("select token from slip order by counter").fetchall()
    assert tokens.decode(token).lines == tokens.decode(without).lines
    assert len(token) == len(without)
    assert "compared" not in facts_of(kiosk)[1]["lines"][0]


def test_a_device_that_was_not_compared_and_a_comparison_nobody_kept_are_not_told(
    kiosk: world.Kiosk, client: FlaskClient
) -> None:
    selection_id = keep(client, *BOTH)
    client.post(f"/selections/{selection_id}/lines", data={"listing": "108"})
    issue(client, selection_id)
    started = client.post("/selections", data={"listing": "101"}).headers["Location"]
    issue(client, started.rpartition("/")[2])

    assert not [line for facts in facts_of(kiosk) for line in facts["lines"] if "compared" in line]


def test_three_lines_at_most_tell_of_a_comparison(kiosk: world.Kiosk, client: FlaskClient) -> None:
    with kiosk.catalog.write() as database:
        database.execute("update sku set body = json_set(body, '$.updates_until', 2027 + sku_id, '$.weight_g', 160 + sku_id)")
        catalog.refresh(database, None, now=world.NOW)
    selection_id = keep(client, *BOTH)
    client.post(f"/selections/{selection_id}/lines", data={"listing": "101"})
    issue(client, selection_id)
    keep(client, *BOTH, "GALAXY-S22-256-GREEN", "PLAYSTATION-5-825-WHITE", s=selection_id)
    issue(client, selection_id)

    one, three = (on_paper(facts) for facts in facts_of(kiosk))
    start = one.index("Comparé à : Apple iPhone 12 128 Go (Très bon état), 110,00 € de moins.")
    assert one[start + 1 : start + 3] == [
        "Mises à jour jusqu’en 2029 ici, 2028 pour l’autre.",
        "Poids : 162 g ici, 161 g pour l’autre.",
    ]
    assert [text for text in three if re.match("Comparé|Mises|Poids|Stockage", text)] == [
        "Comparé à : Apple iPhone 12 128 Go (Très bon état), 110,00 € de moins.",
        "Comparé à : Samsung Galaxy S22 256 Go (Parfait état), 50,00 € de moins.",
        "Comparé à : Sony PlayStation 5 825 Go (Très bon état), 10,00 € de moins.",
    ]


def test_what_nobody_offers_any_more_is_said_so(kiosk: world.Kiosk, client: FlaskClient) -> None:
    selection_id = keep(client, *BOTH)
    client.post(f"/selections/{selection_id}/lines", data={"listing": "101"})
    with kiosk.catalog.write() as database:
        database.execute("update stock set quantity = 0 where listing_id = 107")
        catalog.refresh(database, {catalog.TURNED_STOCK: {107}}, now=world.NOW)
    issue(client, selection_id)

    assert "Comparé à : Apple iPhone 12 128 Go, que personne ne proposait alors." in on_paper(facts_of(kiosk)[0])


def test_leaving_forgets_what_was_compared(kiosk: world.Kiosk, client: FlaskClient) -> None:
    selection_id = keep(client, *BOTH)
    client.post("/leave", data={"s": selection_id})

    assert kiosk.ops.read().execute("select count(*) from selection_comparison").fetchone() == (0,)


def test_one_device_is_no_comparison(client: FlaskClient) -> None:
    assert client.post("/comparisons", data={"sku": BOTH[0]}).status_code == 400
    assert client.post("/comparisons", data={"sku": "NOTHING"}).status_code == 404
