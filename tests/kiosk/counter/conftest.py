from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests import world

NUMBER = "35-0001-H"
"""The number of the slip below, the first of its kiosk."""


@pytest.fixture
def slip(client: FlaskClient) -> str:
    where = client.post("/selections", data={"listing": "101", "plan": world.SERIE_100}).headers["Location"]
    client.post(f"{where}/slip")
    return NUMBER
