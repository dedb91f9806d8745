from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from comptoir import comptoir
from kiosk import background
from kiosk.background import Rounds
from shop import drawings
from sync.blobs import BlobRef, ref_of
from sync.corner.media import BUDGET_BYTES, Fetched
from sync.errors import Offline
from tests import world
from tests.kiosk.test_web import LIMIT_BYTES, first_visit_bytes

DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle r="3"/></svg>'
PHOTO = b"RIFF0000WEBP, as far as anybody looks here"
BLUE = "/sku/IPHONE-13-128-BLUE"
OWN = "/drawings/phone-38506b-2.svg"

Put = Callable[..., str]


@pytest.fixture
def put(kiosk: world.Kiosk) -> Put:
    """Name a medium in the catalogue, and lay it on the kiosk's disk unless it is missing."""

    def put(body: bytes, *, kind: str, sku_id: int | None = world.IPHONE_13, rank: int = 1, is_here: bool = True) -> str:
        ref = ref_of(body)
        facts = {"type": "image/svg+xml" if kind == "drawing" else "image/webp", "width": 90, "height": 80}
        facts |= {"alt": {"fr": "iPhone 13, dos", "en": "iPhone 13, back"}, "credit": "Atelier photo"}
        with kiosk.catalog.write() as catalog:
            row = [None, sku_id, None if sku_id else "phones", kind, rank, ref.sha256, ref.length, json.dumps(facts)]
            catalog.execute("insert into media values (?, ?, ?, ?, ?, ?, ?, ?)", row)
        if is_here:
            (kiosk.directory / "media").mkdir(exist_ok=True)
            (kiosk.directory / "media" / ref.sha256).write_bytes(body)
        return ref.sha256

    return put


class Hq:
    """Blobs over no network."""

    def __init__(self, *bodies: bytes) -> None:
        self.bodies = {ref_of(body).sha256: body for body in bodies}
        self.asked: list[str] = []

    def blob(self, ref: BlobRef, into: Path) -> None:
        self.asked.append(ref.sha256)
        if ref.sha256 not in self.bodies:
            raise Offline("nobody there")
        into.write_bytes(self.bodies[ref.sha256])


def rounds(app: Flask) -> Rounds:
    kiosk = app.extensions["comptoir"]
    return Rounds(kiosk.directory, kiosk.catalog, kiosk.ops, kiosk.media, "0")


def fetch(app: Flask, hq: Any) -> None:
    background._fetch_media(rounds(app), app.extensions["comptoir"], hq)


def test_a_picture_shows_the_model_and_says_so(client: FlaskClient, put: Put) -> None:
    sha256 = put(PHOTO, kind="picture")
    page = client.get(BLUE).text

    assert f'<img src="/media/{sha256}" alt="iPhone 13, dos" width="90" height="80">' in page
    assert "Photo du modèle, pas de l’appareil que vous recevrez." in page
    assert "Photo : Atelier photo" in page


def test_a_drawing_shows_with_its_credit_and_in_the_lists(client: FlaskClient, put: Put) -> None:
    sha256 = put(DRAWING, kind="drawing")
    page = client.get(BLUE).text

    assert f'<img src="/media/{sha256}"' in page
    assert "Dessin du modèle : Atelier photo" in page
    for path in ("/", "/home", "/browse", "/compare?sku=IPHONE-13-128-BLUE&sku=GALAXY-S22-256-GREEN"):
        assert '<circle r="3"></circle></svg>' in client.get(path).text, path


def test_each_drawing_of_a_page_has_ids_of_its_own(client: FlaskClient, put: Put) -> None:
    body = DRAWING.replace(b"<circle", b'<defs><linearGradient id="a"/></defs><circle fill="url(#a)"')
    put(body, kind="drawing")
    put(body, kind="drawing", sku_id=world.IPHONE_12)
    page = client.get("/browse?brand=Apple").text

    assert re.findall(r' id="(d\d-a)"', page) == re.findall(r"url\(#(d\d-a)\)", page) == ["d1-a", "d2-a"]


@pytest.mark.parametrize("inside", [b"<script>1</script>", b'<g id="a"/>' * 400], ids=["no drawing", "large"])
def test_what_is_no_plain_small_drawing_stays_an_image(client: FlaskClient, put: Put, inside: bytes) -> None:
    sha256 = put(DRAWING.replace(b"</svg>", inside + b"</svg>"), kind="drawing")
    page = client.get("/browse?brand=Apple").text

    assert f'<img class="drawing" src="/media/{sha256}"' in page
    assert "<script>1" not in page


def test_lists_never_show_a_picture(client: FlaskClient, put: Put) -> None:
    sha256 = put(PHOTO, kind="picture")
    for path in ("/", "/home", "/browse"):
        text = client.get(path).text
        assert sha256 not in text
        assert drawings.inline("phone-38506b-2", 240) in text


def test_each_card_shows_its_own_drawing_and_the_first_that_is_here(client: FlaskClient, put: Put) -> None:
    put(DRAWING, kind="drawing")
    put(DRAWING.replace(b'"3"', b'"4"'), kind="drawing", sku_id=world.IPHONE_12, rank=1, is_here=False)
    put(DRAWING.replace(b'"3"', b'"5"'), kind="drawing", sku_id=world.IPHONE_12, rank=2)
    put(DRAWING.replace(b'"3"', b'"6"'), kind="drawing", sku_id=world.IPHONE_12, rank=3)
    page = client.get("/browse?brand=Apple").text

    shown = dict(re.findall(r'<a href="/sku/([^"]+)">\s*<svg class="drawing".*?<circle r="(\d)"', page))
    assert shown == {"IPHONE-13-128-BLUE": "3", "IPHONE-12-128-BLUE": "5"}


def test_a_category_s_drawing_stands_on_its_tile(client: FlaskClient, put: Put) -> None:
    put(DRAWING, kind="drawing", sku_id=None)

    assert client.get("/home").text.count('<circle r="3"></circle>') == 1


def test_what_is_not_here_leaves_our_own_drawing_and_is_asked_for_first(app: Flask, client: FlaskClient, put: Put) -> None:
    put(DRAWING, kind="drawing", sku_id=world.GALAXY_S22, is_here=False)
    photo = put(PHOTO, kind="picture", sku_id=world.DYSON_V11, is_here=False)
    page = client.get("/sku/DYSON-V11-PURPLE").text
    hq = Hq(DRAWING, PHOTO)
    fetch(app, hq)

    assert drawings.inline("vacuum-6d5a7e-0", 240) in page
    assert "/media/" not in page
    assert hq.asked == [photo, ref_of(DRAWING).sha256]
    assert f'src="/media/{photo}"' in client.get("/sku/DYSON-V11-PURPLE").text


def test_the_second_choice_shows_while_the_first_is_on_its_way(client: FlaskClient, put: Put) -> None:
    put(PHOTO, kind="picture", rank=1, is_here=False)
    drawing = put(DRAWING, kind="drawing", rank=2)

    assert f'src="/media/{drawing}"' in client.get(BLUE).text


def test_a_medium_is_sent_with_its_type_for_good_and_can_do_nothing(client: FlaskClient, put: Put) -> None:
    drawing, photo = put(DRAWING, kind="drawing"), put(PHOTO, kind="picture", rank=2)
    for sha256, body, kind in ((drawing, DRAWING, "image/svg+xml"), (photo, PHOTO, "image/webp")):
        answer = client.get(f"/media/{sha256}")
        assert (answer.status_code, answer.data) == (200, body)
        assert answer.content_type.startswith(kind)
        assert answer.headers.getlist("Content-Security-Policy") == ["default-src 'none'; style-src 'unsafe-inline'; sandbox"]
        assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("sha256", ["0" * 64, "..%2fops.db", "device.key", "A" * 64, "%00"])
def test_only_what_the_catalogue_names_is_sent(client: FlaskClient, kiosk: world.Kiosk, put: Put, sha256: str) -> None:
    put(DRAWING, kind="drawing")
    (kiosk.directory / "media" / ("0" * 64)).write_bytes(b"left over")

    assert client.get(f"/media/{sha256}").status_code == 404


def test_one_thrown_out_meanwhile_leaves_no_hole(client: FlaskClient, put: Put) -> None:
    sha256 = put(DRAWING, kind="drawing", is_here=False)
    tile = put(PHOTO, kind="drawing", sku_id=None, is_here=False)

    assert client.get(f"/media/{sha256}").headers["Location"] == OWN
    assert client.get(f"/media/{sha256}").headers["Cache-Control"] == "no-store"
    assert client.get(f"/media/{tile}", follow_redirects=True).status_code == 200


def test_a_spoilt_file_is_never_shown(client: FlaskClient, kiosk: world.Kiosk, put: Put) -> None:
    sha256 = put(DRAWING, kind="drawing")
    (kiosk.directory / "media" / sha256).write_bytes(b"<svg onload='alert(1)'/>")

    assert "/media/" not in client.get(BLUE).text
    assert client.get(f"/media/{sha256}").status_code == 303


def test_a_full_disk_pauses_media_and_nothing_else(
    app: Flask, client: FlaskClient, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(DRAWING, kind="drawing", is_here=False)
    hq = Hq(DRAWING)
    free = {"bytes": 0}
    monkeypatch.setattr("sync.corner.media.shutil.disk_usage", lambda _: SimpleNamespace(free=free["bytes"]))
    fetch(app, hq)
    assert [fault["code"] for fault in client.get("/status.json").json["faults"]] == ["media_paused", "disk_low"]  # type: ignore[index]
    assert hq.asked == []
    assert client.get("/readyz").status_code == 200

    free["bytes"] = 10**12
    fetch(app, hq)
    state = client.get("/status.json").json
    assert state is not None
    assert (state["faults"], state["media"]) == ([], {"files": 1, "bytes": len(DRAWING)})


def test_a_page_with_the_largest_picture_is_within_its_weight(client: FlaskClient, put: Put) -> None:
    put(PHOTO + bytes(range(256)) * 78, kind="picture")

    assert first_visit_bytes(client, BLUE) <= LIMIT_BYTES


def test_a_silent_marketplace_is_no_fault_of_the_media(app: Flask, client: FlaskClient, put: Put) -> None:
    put(DRAWING, kind="drawing", is_here=False)
    fetch(app, Hq())

    assert client.get("/status.json").json["faults"] == []  # type: ignore[index]


def test_the_table_comes_first_and_the_budget_is_this_kiosk_s(app: Flask, kiosk: world.Kiosk, put: Put) -> None:
    put(DRAWING + b" ", kind="drawing", sku_id=world.IPHONE_12, is_here=False)
    console = put(DRAWING, kind="drawing", sku_id=world.PLAYSTATION_5, is_here=False)
    hq = Hq(DRAWING, DRAWING + b" ")
    with kiosk.ops_write() as ops:
        ops.execute("insert into setting (name, value) values ('media_budget_bytes', ?)", [str(len(DRAWING) + 9)])
    fetch(app, hq)

    assert hq.asked == [console]


def test_the_budget_is_set_in_megabytes(app: Flask, kiosk: world.Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []

    def fetch_nothing(*_: object, budget_bytes: int, **__: object) -> Fetched:
        given.append(budget_bytes)
        return Fetched()

    monkeypatch.setattr("sync.corner.media.MediaStore.fetch", fetch_nothing)
    fetch(app, Hq())
    answer = CliRunner().invoke(comptoir, ["kiosk", "set", "--dir", str(kiosk.directory), "--media-budget", "5"])
    fetch(app, Hq())

    assert answer.exit_code == 0
    assert answer.output.splitlines()[-1] == "media budget 5 MB"
    assert given == [BUDGET_BYTES, 5 * 2**20]
