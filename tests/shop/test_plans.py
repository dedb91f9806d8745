from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from tests import world
from tests.sentences import plain


def offered(page: str) -> list[int]:
    return [int(plan_id) for plan_id in re.findall(r'id="plan-(\d+)"', page)]


def test_plans_stand_alone_with_what_they_cost(client: FlaskClient) -> None:
    page = client.get("/plans").text

    assert offered(page) == [world.FORFAIT_5, world.SERIE_100, world.SERIE_100_12, world.ETALE_200]
    assert "9,99" in page
    assert "engagement 24 mois" in page
    assert "pendant 12 mois, puis 29,99" in page


def test_leaving_after_a_year_costs_nothing_without_a_device(client: FlaskClient) -> None:
    """Without a subsidised device only the exit fee remains after month 12 (L224-28)."""
    page = client.get("/plans").text

    assert re.findall(r"partir après 12 mois coûterait ([\d,]+)", page) == ["0,00", "0,00"]


@pytest.mark.parametrize(
    ("asked", "plan_id", "in_all"),
    [
        ("", world.FORFAIT_5, "240,76 €"),
        (f"?plan={world.SERIE_100}", world.SERIE_100, "600,76 €"),
        ("?plan=99", world.FORFAIT_5, "240,76 €"),
        ("?plan=é", world.FORFAIT_5, "240,76 €"),
    ],
)
def test_one_plan_is_chosen_and_the_foot_says_what_it_costs(client: FlaskClient, asked: str, plan_id: int, in_all: str) -> None:
    page = client.get(f"/plans{asked}").text
    foot = page[page.index('<footer class="truth">') :]

    assert re.findall(r'name="plan" value="(\d+)"', page) == [str(plan_id)], "one thing to do next"
    assert re.findall(r'id="plan-(\d+)"[^>]*aria-current="true"', page) == [str(plan_id)]
    assert in_all in plain(foot)


def test_a_plan_alone_becomes_a_line(client: FlaskClient) -> None:
    made = client.post("/selections", data={"plan": world.FORFAIT_5, "acquisition": "port"})
    page = client.get(made.headers["Location"]).text

    assert made.status_code == 303
    assert "Série 5 Go" in page
    assert "9,99" in page


def test_the_selection_under_way_is_kept(client: FlaskClient) -> None:
    selection = client.post("/selections").headers["Location"].rsplit("/", 1)[-1]
    page = client.get(f"/plans?s={selection}&acquisition=port").text

    assert f'action="/selections/{selection}/lines"' in page
    assert "3179" in page


@pytest.mark.parametrize("wished", ["gift", "new'", "é"])
def test_an_unknown_situation_is_refused(client: FlaskClient, wished: str) -> None:
    assert client.get("/plans", query_string={"acquisition": wished}).status_code == 400
