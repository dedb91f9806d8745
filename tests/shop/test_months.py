"""Every sentence of the kiosk that sums up months, read back from the pages and the paper."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo.paper import pictures
from kiosk.printing import paper
from kiosk.printing.profiles import usual_paper
from pos import selections
from pos.corners import store_corner
from pos.languages import LANGUAGES
from pos.totals import Line, schedule
from tests import world
from tests.kiosk.slip_facts import slip_url
from tests.pos.test_slips import issue, selection_of
from tests.sentences import cents, months_in, plain

LISTINGS = (101, 102, 104, 105, 107, 108)
any_wish = st.fixed_dictionaries(
    {"listing": st.sampled_from(LISTINGS), "plan": st.sampled_from((None, *(plan[0] for plan in world.PLANS)))},
    optional={"option": st.just(world.REPAIR)},
)


def schedules(lines: list[Line]) -> list[list[int]]:
    """Return what a page may say of these lines: of all together, of each, and of the tariff of each."""
    tariffs = [Line(quantity=line.quantity, device_cents=None, plan=line.plan, options=()) for line in lines if line.plan]
    return [trimmed(schedule(some, 120)[1:]) for some in (lines, *([line] for line in (*lines, *tariffs)))]


def trimmed(months: list[int]) -> list[int]:
    while months and not months[-1]:
        months = months[:-1]
    return months


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wishes=st.lists(any_wish, min_size=1, max_size=4), language=st.sampled_from(sorted(LANGUAGES)))
def test_selection_slip_and_paper_say_what_the_schedule_says(
    kiosk: world.Kiosk, client: FlaskClient, wishes: list[dict[str, int | None]], language: str
) -> None:
    with kiosk.ops_write() as ops:
        store_corner(ops, {**world.corner_document(), "languages": list(LANGUAGES)})
    client.set_cookie("language", language)
    address = client.post("/selections").headers["Location"]
    for wish in wishes:
        client.post(f"{address}/lines", data={name: str(value) for name, value in wish.items() if value is not None})
    priced = selections.priced_selection(kiosk.ops.read().execute, kiosk.catalog.read(), address[12:], now=world.NOW)
    lines = [Line.from_slip(line.facts) for line in priced.lines]
    truths = schedules(lines)

    said = months_in(plain(client.get(address).text), language)
    assert all(trimmed(months) in truths for months in said)
    assert not truths[0] or truths[0] in [trimmed(months) for months in said], "the months of the whole are said"

    slip = client.get(client.post(f"{address}/slip").headers["Location"]).text if lines else ""
    assert all(trimmed(months) in truths for months in months_in(plain(slip), language))


@pytest.mark.parametrize("plan_id", [plan[0] for plan in world.PLANS])
def test_a_device_s_page_says_what_its_schedule_says(kiosk: world.Kiosk, client: FlaskClient, plan_id: int) -> None:
    page = plain(client.get(f"/sku/IPHONE-13-128-BLUE?grade=GOOD&plan={plan_id}&plans=all").text)
    catalog = kiosk.catalog.read()
    wishes = [(1, selections.Wish(listing_id=101, plan_id=plan[0])) for plan in world.PLANS]
    lines = [Line.from_slip(each.facts) for each in selections.price(catalog, "", wishes, now=world.NOW).lines]
    truths = [trimmed(schedule([line], 120)[1:]) for line in lines]

    said = [trimmed(months) for months in months_in(page, "fr")]
    assert all(months in truths for months in said)
    assert all(months in said for months in truths if len(set(months)) > 1)


def test_plans_alone_say_promotion_and_what_follows(client: FlaskClient) -> None:
    assert months_in(plain(client.get("/plans").text), "fr") == [[1999] * 12 + [2999] * 12]


@pytest.mark.parametrize("paper_mm", [80, 58])
@pytest.mark.parametrize("plan_id", [plan[0] for plan in world.PLANS])
def test_paper_sets_out_every_month(kiosk: world.Kiosk, plan_id: int, paper_mm: int) -> None:
    facts = issue(kiosk, selection_of(kiosk, selections.Wish(listing_id=101, plan_id=plan_id, option_ids=(1,)))).facts
    data = paper.slip_bytes(facts, slip_url(), paper=usual_paper(paper_mm), language="fr", copy_no=0)
    (cut,) = pictures(data, paper_mm=paper_mm)
    due = schedule([Line.from_slip(line) for line in facts["lines"]], facts["totals"]["horizon_months"])[1:]
    text = plain(cut.text)
    body = text[text.index("À la commande") : text.index("Total sur")]

    found: list[int] = []
    for label in body.replace("Par mois", "|Par mois").replace("puis", "|puis").split("|")[1:]:
        count, amount = label.split(" mois ") if ", " in label else (f", {len(due)}", label.split("mois ")[1])
        found += [cents(amount)] * cents(count)
    assert found == due
