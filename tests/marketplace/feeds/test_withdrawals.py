from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from comptoir import marketplace
from marketplace.feeds.imports import Imported, import_feed
from marketplace.feeds.problems import FeedRefused
from marketplace.installation import sync_path
from tests.marketplace import world
from tests.marketplace.hq import Hq, quiet

USUAL = {"seller_id": "1", "sku_id": "1", "grade": "GOOD", "price": "300.00"}
TWENTY_FIVE = dict.fromkeys(range(1001, 1026), USUAL)


def import_supply(
    hq: Hq, supply: dict[int, dict[str, str]], rows: dict[str, list[dict[str, Any]]] | None = None, *, is_meant: bool = False
) -> Imported:
    feed = world.write_feed(hq.directory / "feed", rows, supply)
    return import_feed(hq.engine, feed, static=sync_path(hq.directory), progress=quiet, is_withdrawal_meant=is_meant)


def refused(
    hq: Hq, supply: dict[int, dict[str, str]], rows: dict[str, list[dict[str, Any]]] | None = None
) -> list[dict[str, Any]]:
    before = hq.rows("select * from listing order by listing_id") + hq.rows("select * from plan order by plan_id")
    with pytest.raises(FeedRefused) as refusal:
        import_supply(hq, supply, rows)
    assert hq.rows("select * from listing order by listing_id") + hq.rows("select * from plan order by plan_id") == before
    problems: list[dict[str, Any]] = refusal.value.data["problems"]
    return problems


def first(number: int) -> dict[int, dict[str, str]]:
    return dict(list(TWENTY_FIVE.items())[:number])


def changed(number: int, **change: str) -> dict[int, dict[str, str]]:
    return TWENTY_FIVE | dict.fromkeys(first(number), USUAL | change)


@pytest.fixture
def stocked(hq: Hq) -> Hq:
    """The marketplace with twenty-five offers of one seller on sale, and nothing else."""
    import_supply(hq, TWENTY_FIVE, is_meant=True)
    return hq


def test_a_feed_of_the_header_alone_is_refused_until_it_is_meant(stocked: Hq) -> None:
    [problem] = refused(stocked, {})
    assert (problem["file"], problem["line"], problem["field"]) == ("listings.csv", 0, "withdrawals")
    assert problem["reason"].startswith("25 of 25 offers in fr would be gone (1001, 1002, 1003, 1004, 1005, …)")
    assert "--confirm-withdrawals" in problem["reason"]
    imported = import_supply(stocked, {}, is_meant=True)
    assert imported.removed == {"listing": 25}


@pytest.mark.parametrize(
    ("supply", "gone"),
    [
        (first(19), 6),
        (changed(6, state="offline"), 6),
        (changed(6, quantity="0"), 6),
    ],
    ids=["left the feed", "taken offline", "sold out"],
)
def test_more_than_a_fifth_of_what_is_on_sale_does_not_go_by_itself(
    stocked: Hq, supply: dict[int, dict[str, str]], gone: int
) -> None:
    [problem] = refused(stocked, supply)
    assert problem["reason"].startswith(f"{gone} of 25 offers in fr would be gone")


def test_a_fifth_may_go(stocked: Hq) -> None:
    assert import_supply(stocked, first(20)).removed == {"listing": 5}


def test_offers_of_a_seller_who_is_suspended_are_counted(stocked: Hq) -> None:
    rows = world.world()
    rows["sellers"][0]["status"] = "suspended"
    [problem] = refused(stocked, TWENTY_FIVE, rows)
    assert problem["reason"].startswith("25 of 25 offers in fr would be gone")


def test_what_is_not_on_sale_may_leave(stocked: Hq) -> None:
    import_supply(stocked, changed(25, state="offline"), is_meant=True)
    assert import_supply(stocked, {}).removed == {"listing": 25}


def test_plans_that_vanish_are_counted_too(stocked: Hq) -> None:
    rows = world.world()
    rows["plans"] += [world.plan(plan_id, f"Libre {plan_id}", **world.LIBRE) for plan_id in range(10, 16)]
    import_supply(stocked, TWENTY_FIVE, rows)
    [problem] = refused(stocked, TWENTY_FIVE)
    assert (problem["file"], problem["field"]) == ("plans.jsonl", "withdrawals")
    assert problem["reason"].startswith("6 of 8 plans in fr would be gone (10, 11, 12, 13, 14, …)")


def test_the_command_takes_the_confirmation(tmp_path: Path) -> None:
    def run(feed: Path, *options: str) -> Any:
        return CliRunner().invoke(marketplace, ["import", str(feed), "--dir", str(tmp_path / "hq"), *options])

    CliRunner().invoke(marketplace, ["init", "--dir", str(tmp_path / "hq")])
    full, cut = (world.write_feed(tmp_path / name, None, supply) for name, supply in (("full", TWENTY_FIVE), ("cut", first(2))))
    assert run(full).exit_code == 0
    refusal = run(cut)
    assert refusal.exit_code == 1
    assert "listings.csv:0: withdrawals: 23 of 25 offers in fr would be gone" in refusal.output
    assert run(cut, "--confirm-withdrawals").exit_code == 0
