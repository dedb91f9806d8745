from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from marketplace.db import changed, reading, rows, run_tx
from marketplace.fleet import corner_list, picture
from marketplace.fleet.corner_list import PAGE_ROWS, View
from marketplace.fleet.corners import set_ring
from marketplace.fleet.picture import MOST_CELLS
from marketplace.fleet.standings import BLOCK_NUMBERS, fold, match_corners_to_feed
from pos import clock
from tests.marketplace.hq import Hq, words
from tests.sentences import plain

NANTES, PARIS = "nantes-crebillon", "paris-beaubourg"


def log_in(hq: Hq) -> None:
    assert hq.client.post("/console/login", data={"password": hq.password}).status_code == 303


def beat(**said: Any) -> dict[str, Any]:
    """A heartbeat of a kiosk that is well, with what is said otherwise."""
    well = {"publication": 1, "printer": {"name": "p", "state": "ok", "queue": 0}, "pending": 0, "software": "0.1.0"}
    return {**well, "clock": {"wall": clock.to_text(clock.now())}, "disk_free": 10**10, "faults": {}, **said}


def stand(hq: Hq, corner_id: str = NANTES) -> dict[str, Any]:
    (found,) = hq.rows("select * from standing where corner_id = :corner_id", corner_id=corner_id)
    return found


def set_standing(hq: Hq, **values: Any) -> None:
    sets = ", ".join(f"{name} = :{name}" for name in values)
    run_tx(
        hq.engine, lambda connection: changed(connection, f"update standing set {sets} where corner_id = '{NANTES}'", **values)
    )


def seen(hq: Hq, **view: Any) -> list[str]:
    with reading(hq.engine) as connection:
        page, _ = corner_list.corners(connection, View(**view), clock.now())
    return [each["corner_id"] for each in page]


def ago(**time: float) -> str:
    return clock.to_text(clock.now() - timedelta(**time))


def add_corners(hq: Hq, count: int) -> None:
    def work(connection: Any) -> None:
        for number in range(1, count + 1):
            body = json.dumps({"name": f"Rue {number}", "city": "Lyon", "partner_id": ""})
            insert = "insert into corner (corner_id, corner_no, market, body) values (:id, :number, 'fr', :body)"
            changed(connection, insert, id=f"rue-{number:04d}", number=1000 + number, body=body)
        match_corners_to_feed(connection)

    run_tx(hq.engine, work)


def test_every_corner_of_the_feed_has_its_row_and_loses_it_with_the_feed(hq: Hq) -> None:
    assert [stand(hq, name)["seen_at"] for name in (NANTES, PARIS)] == ["", ""]
    assert (stand(hq)["key_id"], stand(hq, PARIS)["key_id"]) == (hq.key_id, None)
    run_tx(hq.engine, lambda connection: changed(connection, "delete from corner where corner_id = :name", name=PARIS))
    run_tx(hq.engine, match_corners_to_feed)
    assert hq.rows("select corner_id from standing") == [{"corner_id": NANTES}]


@pytest.mark.parametrize(
    ("said", "trouble", "faults"),
    [
        ({}, 0, []),
        ({"faults": {"offline": "2026-11-22T09:00:00Z"}}, 1, ["offline"]),
        ({"faults": {"wrong_root": None}}, 2, ["wrong_root"]),
        ({"faults": {"new_in_2031": None}}, 2, ["new_in_2031"]),
        ({"printer": {"state": "fault"}}, 2, ["printer_fault"]),
        ({"printer": {"state": "offline"}}, 2, ["printer_offline"]),
        ({"disk_free": 1000}, 2, ["disk_low"]),
        ({"clock": {"wall": "2016-01-01T00:00:00Z"}}, 2, ["clock_wrong"]),
        ({"faults": {"records_damaged": None}}, 3, ["records_damaged"]),
        ({"faults": "nonsense", "printer": 7, "clock": [], "disk_free": "much"}, 0, []),
    ],
)
def test_what_is_wrong_with_a_corner(hq: Hq, said: dict[str, Any], trouble: int, faults: list[str]) -> None:
    hq.up(heartbeat=beat(**said))
    assert (stand(hq)["trouble"], list(json.loads(stand(hq)["faults"] or "{}"))) == (trouble, faults)


def test_a_fault_hq_sees_keeps_the_time_it_began(hq: Hq) -> None:
    hq.up(heartbeat=beat(printer={"state": "fault"}))
    set_standing(hq, faults='{"printer_fault":"2026-01-01T00:00:00Z"}')
    hq.up(heartbeat=beat(printer={"state": "fault"}))
    assert json.loads(stand(hq)["faults"]) == {"printer_fault": "2026-01-01T00:00:00Z"}


def test_the_clocks_are_compared_where_the_message_arrives(hq: Hq) -> None:
    hq.up(heartbeat=beat(clock={"wall": ago(minutes=3)}))
    assert 180 <= stand(hq)["clock_s"] <= 190


def test_the_history_keeps_changes_and_not_repetitions(hq: Hq) -> None:
    for _ in range(3):
        hq.up(heartbeat=beat())
    assert len(hq.rows("select * from heartbeat")) == 1
    run_tx(hq.engine, lambda connection: changed(connection, "update heartbeat set at = :at", at=ago(hours=2)))
    hq.up(heartbeat=beat(faults={"wrong_root": None}))
    assert [json.loads(each["state"])["faults"] for each in hq.rows("select state from heartbeat order by at")] == [
        [],
        ["wrong_root"],
    ]
    set_standing(hq, told_at=ago(hours=1))
    hq.write("update device set seen_at = :at", at=ago(hours=1))
    run_tx(
        hq.engine,
        lambda connection: changed(
            connection, "update heartbeat set at = :at where at < :now", at=ago(days=31), now=ago(hours=1)
        ),
    )
    hq.up(heartbeat=beat(faults={"wrong_root": None}))
    assert [each["at"] > ago(hours=1) for each in hq.rows("select at from heartbeat")] == [True], "an hour later, and swept"


def test_a_replaced_device_speaks_no_more_for_its_corner(hq: Hq) -> None:
    set_standing(hq, key_id="ffffffff", enrolled_at="2099-01-01T00:00:00Z")
    hq.up(heartbeat=beat())
    assert (stand(hq)["key_id"], stand(hq)["seen_at"]) == ("ffffffff", "")


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({"seen_at": ""}, "never"),
        ({}, "ok"),
        ({"publication": 0}, "behind"),
        ({"trouble": 1}, "ok"),
        ({"trouble": 2}, "fault"),
        ({"trouble": 2, "seen_at": "2026-01-01T00:00:00Z"}, "silent"),
        ({"trouble": 4, "seen_at": "2026-01-01T00:00:00Z"}, "quarantined"),
    ],
)
def test_a_corner_is_in_the_worst_state_that_holds(hq: Hq, values: dict[str, Any], state: str) -> None:
    run_tx(hq.engine, lambda connection: changed(connection, "update sync_publication set published_at = :at", at=ago(hours=1)))
    set_standing(hq, **{"seen_at": clock.to_text(clock.now()), "publication": 1, **values})
    with reading(hq.engine) as connection:
        assert corner_list.corner(connection, NANTES, clock.now())["state"] == state
        (group,) = [group for group in picture.picture(connection, clock.now()) if group.market == "fr"]
    assert [cell.state for cell in group.cells if cell.corner_id == NANTES] == [state]
    assert NANTES in seen(hq, state=state)


def test_the_ring_shown_is_hq_s_and_a_kiosk_that_follows_another_is_said(hq: Hq) -> None:
    log_in(hq)
    set_ring(hq.engine, NANTES, "canary")
    still = "la borne suit encore l’anneau stable"
    for path in ("/console/fleet", f"/console/corners/{NANTES}"):
        assert ("éclaireur" in words(hq.client.get(path)), still in words(hq.client.get(path))) == (True, False), "not heard yet"
    hq.up(heartbeat=beat(ring="stable"))
    assert "FR · éclaireur · la borne suit encore l’anneau stable" in words(hq.client.get("/console/fleet"))
    assert "anneau éclaireur · la borne suit encore l’anneau stable" in words(hq.client.get(f"/console/corners/{NANTES}"))
    hq.up(heartbeat=beat(ring="canary"))
    for path in ("/console/fleet", f"/console/corners/{NANTES}"):
        assert still not in words(hq.client.get(path))


def test_a_publication_is_news_for_ten_minutes_before_anybody_is_behind(hq: Hq) -> None:
    hq.up(heartbeat=beat())
    hq.change(l11={"price": "349.00"})
    with reading(hq.engine) as connection:
        found = corner_list.corner(connection, NANTES, clock.now())
    assert (found["state"], found["behind"], found["missed_at"] is not None) == ("ok", 1, True)


@pytest.mark.parametrize(
    ("view", "is_shown"),
    [
        ({"market": "fr"}, True),
        ({"market": "us"}, False),
        ({"ring": "stable"}, True),
        ({"ring": "canary"}, False),
        ({"fault": "wrong_root"}, True),
        ({"fault": "wrongroot"}, False),
        ({"fault": "wrong"}, False),
        ({"printer": "ok"}, True),
        ({"printer": "fault"}, False),
        ({"software": "0.1.0"}, True),
        ({"words": fold("CRÉBILLON")}, True),
        ({"words": "%"}, False),
        ({"silent_s": 60}, False),
        ({"behind": 0}, True),
        ({"behind": 1}, False),
        ({"first_no": 1, "last_no": 100}, False),
        ({"first_no": 101, "last_no": 101}, True),
    ],
)
def test_the_list_is_narrowed(hq: Hq, view: dict[str, Any], is_shown: bool) -> None:
    hq.up(heartbeat=beat(faults={"wrong_root": None}))
    assert (NANTES in seen(hq, **view)) is is_shown


@pytest.mark.parametrize("sort", list(corner_list.SORTS))
@pytest.mark.parametrize("way", ["", "back"])
def test_pages_follow_each_other_and_leave_nobody_out(hq: Hq, sort: str, way: str) -> None:
    add_corners(hq, 2 * PAGE_ROWS)
    hq.up(heartbeat=beat(faults={"wrong_root": None}))
    log_in(hq)
    found: list[str] = []
    address: str | None = f"/console/fleet?sort={sort}&way={way}"
    while address:
        page = hq.client.get(address).text
        found += re.findall(r'<td><a href="/console/corners/([^"]+)">', page)
        following = re.search(r'rel="next" href="([^"#]+)', page)
        address = following[1].replace("&amp;", "&") if following else None
    assert len(found) == len(set(found)) == 2 * PAGE_ROWS + 2


def test_the_page_shows_the_fleet_and_each_corner(hq: Hq) -> None:
    log_in(hq)
    hq.up(heartbeat=beat(pending=3, oldest_at=ago(hours=3), printer={"state": "offline"}, faults={"wrong_root": ago(hours=2)}))
    page = words(hq.client.get("/console/fleet"))
    for text in (
        "Nantes Crébillon",
        "Paris Beaubourg",
        "en défaut",
        "ne répond pas",
        "Catalogue qui ne concorde pas",
        "depuis 3 h",
    ):
        assert text in page
    assert f'class="cell is-fault" href="/console/corners/{NANTES}"' in page
    assert "style=" not in page
    assert "Fault" in hq.client.get("/console/fleet?lang=en").text


@pytest.mark.parametrize(
    "query",
    [
        "after=x",
        "after=x~y&sort=number",
        "sort=nothing",
        "behind=-1",
        "silent=²",
        "state=x&ring=y",
        "fault=%27%22",
        "words=%00%25",
    ],
)
def test_nonsense_in_the_address_is_left_out(hq: Hq, query: str) -> None:
    log_in(hq)
    assert hq.client.get(f"/console/fleet?{query}").status_code == 200


def test_a_corner_s_page_tells_its_story(hq: Hq) -> None:
    log_in(hq)
    hq.up(hq.event("demo_checked", {"position": "A1"}), heartbeat=beat())
    run_tx(hq.engine, lambda connection: changed(connection, "update heartbeat set at = :at", at=ago(hours=2)))
    hq.up(heartbeat=beat(faults={"wrong_root": None}, software="0.2.0", next_counter=41))
    hq.claim(hq.digits())
    page = words(hq.client.get(f"/console/corners/{NANTES}"))
    for text in (
        hq.key_id,
        "commence : Catalogue qui ne concorde pas",
        "logiciel 0.1.0 → 0.2.0",
        "demo_checked",
        "Que faire",
        ">41<",
    ):
        assert text in page
    assert "pas encore inscrit" in words(hq.client.get(f"/console/corners/{PARIS}"))
    assert hq.client.get("/console/corners/nowhere").status_code == 404


def test_hq_sees_the_labels_of_a_corner_as_it_last_told_them(hq: Hq) -> None:
    log_in(hq)
    hq.up(heartbeat=beat(labels={"due": 2, "places": ["A2", "B3"], "printed": 1, "gone": 0}))
    assert "2 à remplacer (A2, B3), 1 à poser" in plain(hq.client.get(f"/console/corners/{NANTES}").text)

    hq.up(heartbeat=beat(labels={"due": 0, "places": [], "printed": 0, "gone": 0}))
    assert "aucune à remplacer" in plain(hq.client.get(f"/console/corners/{NANTES}").text)


def test_hostile_heartbeats_break_no_page_and_are_kept_small(hq: Hq) -> None:
    log_in(hq)
    for said in ({"software": "x" * 10**6}, {"faults": {f"a{n}": "<script>" for n in range(9999)}}, {"printer": {"name": "<b>"}}):
        assert hq.up(heartbeat=said).status_code == 200
        (device,) = hq.rows("select heartbeat from device")
        assert len(device["heartbeat"]) <= 4096
        assert hq.client.get("/console/fleet").status_code == 200
        page = hq.client.get(f"/console/corners/{NANTES}")
        assert page.status_code == 200
        assert "<script>" not in page.text


def test_a_quarantined_corner_is_the_worst(hq: Hq) -> None:
    log_in(hq)
    hq.up(hq.event("demo_checked", {}), heartbeat=beat())
    hq.sent.clear()
    assert hq.up(hq.event("demo_checked", {"other": 1})).status_code == 409
    assert seen(hq, state="quarantined") == [NANTES]
    assert "Disque copié ou restauré" in hq.client.get(f"/console/corners/{NANTES}").text


def test_a_large_fleet_is_drawn_in_blocks_that_lead_to_their_corners(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "MOST_CELLS", 10)
    add_corners(hq, 120)
    log_in(hq)
    with reading(hq.engine) as connection:
        (group,) = picture.picture(connection, clock.now())
    assert sum(sum(cell.counts) for cell in group.cells) == 122
    assert len(group.cells) == len({number // BLOCK_NUMBERS for number in (101, 102, *range(1001, 1121))})
    first = group.cells[-1]
    assert seen(hq, first_no=first.first_no, last_no=first.last_no)
    assert f"first={first.first_no}&amp;last={first.last_no}#corners" in hq.client.get("/console/fleet").text
    assert MOST_CELLS > 500, "a fleet of today is drawn corner by corner"


def test_the_tally_and_the_blocks_count_as_the_single_cells_do(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    add_corners(hq, 120)
    hq.up(heartbeat=beat(faults={"wrong_root": None}))
    hq.write("update standing set seen_at = '2026-01-01T00:00:00Z' where corner_no % 3 = 0")
    hq.write("update standing set trouble = 4, ring = 'canary' where corner_no between 1010 and 1019")
    with reading(hq.engine) as connection:
        single = [(group.market, group.ring, group.counts) for group in picture.picture(connection, clock.now())]
        monkeypatch.setattr(picture, "MOST_CELLS", 10)
        blocks = [(group.market, group.ring, group.counts) for group in picture.picture(connection, clock.now())]
        assert single == blocks == picture.tally(connection, clock.now())
    assert [(ring, sum(counts.values())) for _, ring, counts in single] == [("canary", 10), ("stable", 112)]


@pytest.mark.parametrize("kind", ["sqlite"])  # PostgreSQL reads a table of two rows whole, whatever its indexes.
def test_the_list_and_the_picture_read_indexes_alone(hq: Hq) -> None:
    for column, way in corner_list.SORTS.values():
        query = (
            f"select * from standing where ({column}, corner_id) > ('1', 'x') order by {column} {way}, corner_id {way} limit 51"
        )
        plan = str(hq.rows(f"explain query plan {query}"))
        assert "USING INDEX standing_by_" in plan, column
        assert "TEMP B-TREE" not in plan, column
    block = (
        "select block, sum(trouble) from standing where market = 'fr' and ring = 'stable' and publication < 9 and seen_at < 'x'"
    )
    plan = str(hq.rows(f"explain query plan {block} group by block order by block"))
    assert "COVERING INDEX standing_by_line" in plan
    assert "TEMP B-TREE" not in plan


def test_one_heartbeat_is_few_statements(hq: Hq) -> None:
    from sqlalchemy import event

    hq.up(heartbeat=beat())
    said: list[str] = []
    event.listen(hq.app.extensions["marketplace"].engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    hq.up(heartbeat=beat())
    writes = [each for each in said if re.match(r"\s*(insert|update|delete)", each)]
    assert len(writes) == 2, "the device and its corner's row; nothing changed, so no history"
    with reading(hq.engine) as connection:
        assert rows(connection, "select count(*) as n from heartbeat") == [{"n": 1}]
