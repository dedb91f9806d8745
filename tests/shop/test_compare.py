from __future__ import annotations

import re

from flask.testing import FlaskClient


def test_devices_stand_side_by_side_and_what_differs_comes_first(client: FlaskClient) -> None:
    page = client.get("/compare?sku=IPHONE-13-128-BLUE&sku=GALAXY-S22-256-GREEN").text

    assert page.index("Apple iPhone 13") < page.index("Samsung Galaxy S22")
    assert "329,00\u00a0€" in page
    labels = re.findall(r'(class="differs")?><th scope="row">([^<]*)<', page)[1:]
    differs = [bool(mark) for mark, _ in labels]
    assert ('class="differs"', "Stockage") in labels
    assert differs == sorted(differs, reverse=True)


def test_one_device_alone_goes_back_to_the_list(client: FlaskClient) -> None:
    answer = client.get("/compare?sku=IPHONE-13-128-BLUE&s=abc")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/browse?s=abc")


def test_an_unknown_device_is_said(client: FlaskClient) -> None:
    assert client.get("/compare?sku=IPHONE-13-128-BLUE&sku=NOKIA-3310").status_code == 404
