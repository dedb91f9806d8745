from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from pos import clock, outbox, selections, slips, tokens
from pos.db import OperationalError, connect, write
from pos.errors import EmptySelection, Invalid, ListingGone, NotFound, PosError, PriceChanged, SlipAlreadyVoided, Unrecordable
from pos.line_facts import Wish
from pos.ops import store_setting
from tests import world
from tests.world import NOW, Kiosk

BUNDLE = Wish(listing_id=101, plan_id=world.SERIE_100, option_ids=(world.REPAIR,), seen_cents=36900)


def selection_of(kiosk: Kiosk, *wishes: Wish) -> str:
    with kiosk.ops_write() as ops:
        selection_id = selections.start_selection(ops.execute, now=NOW)
        for wish in wishes:
            selections.add_line(ops.execute, kiosk.catalog.read(), selection_id, wish=wish, now=NOW)
    return selection_id


def issue(kiosk: Kiosk, selection_id: str, *, seen: str | None = None, later: timedelta = timedelta()) -> slips.Slip:
    with kiosk.ops_write() as ops:
        return slips.issue_slip(
            ops,
            kiosk.catalog.read(),
            selection_id,
            device=kiosk.device,
            seen=seen,
            language="fr",
            now=NOW + later,
        )


def change_price(kiosk: Kiosk, listing_id: int, price_cents: int) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update listing set price_cents = ? where listing_id = ?", [price_cents, listing_id])


def test_a_slip_carries_what_was_chosen(kiosk: Kiosk) -> None:
    slip = issue(kiosk, selection_of(kiosk, BUNDLE))

    token = tokens.decode(slip.token)
    assert tokens.verify(slip.token, world.KEY.public_key().public_bytes_raw())
    assert (slip.number, slip.counter, token.publication, token.corner_no) == ("35-0001-H", 1, 7, 101)
    assert token.lines == (tokens.TokenLine(listing_id=101, plan_id=2, option_ids=(1,), one_off_cents=17000, monthly_cents=3198),)
    assert (token.one_off_cents, token.monthly_cents) == (17000, 3198)
    assert slip.facts["totals"]["total_cents"] == 17000 + 24 * 3198
    assert slip.facts["lines"][0]["listing"]["copy_levy_cents"] == 1008
    assert slip.facts["lines"][0]["plan"]["exit_after_12_cents"] == 12 * 2499 * 2000 // 10000
    assert slip.valid_until == "2026-12-06T14:32:00Z"


def test_a_law_begins_at_midnight_of_the_corner(kiosk: Kiosk) -> None:
    """30 days to withdraw from 1 December on, half an hour after midnight in Nantes, when it is still November in UTC."""
    with kiosk.catalog.write() as catalog:
        catalog.execute("update law set valid_to = '2026-12-01' where kind = 'withdrawal'")
        catalog.execute("""insert into law values ('fr-new', 'withdrawal', '2026-12-01', null, '{"days": 30}')""")
        catalog.execute("update law set valid_to = '2026-12-01' where kind = 'copy_levy'")
    before, after = (datetime(2026, 11, 30, hour, 30, tzinfo=UTC) - NOW for hour in (22, 23))

    assert issue(kiosk, selection_of(kiosk, BUNDLE), later=before).facts["guarantees"]["withdrawal_days"] == 14
    facts = issue(kiosk, selection_of(kiosk, BUNDLE), later=after).facts
    assert facts["guarantees"]["withdrawal_days"] == 30
    assert facts["lines"][0]["listing"]["copy_levy_cents"] is None


def test_a_slip_and_its_event_are_one(kiosk: Kiosk) -> None:
    slip = issue(kiosk, selection_of(kiosk, BUNDLE))

    [(seq, kind, body, sha256, prev)] = kiosk.ops.read().execute("select seq, kind, body, sha256, prev from outbox")
    event = json.loads(body)
    assert (seq, kind, prev) == (1, "slip_issued", outbox.CHAIN_START)
    assert sha256 == outbox.link(seq, kind, body, prev)
    assert (event["number"], event["digits"], event["facts"]) == (slip.number, slip.digits, slip.facts)


def test_issuing_twice_gives_the_same_slip(kiosk: Kiosk) -> None:
    selection_id = selection_of(kiosk, BUNDLE)

    first, again = issue(kiosk, selection_id), issue(kiosk, selection_id, later=timedelta(minutes=5))

    assert first == again
    assert kiosk.ops.read().execute("select count(*) from outbox").fetchone() == (1,)


def test_double_tap_from_two_threads_issues_one_slip(kiosk: Kiosk) -> None:
    selection_id = selection_of(kiosk, BUNDLE)
    numbers: list[str] = []
    threads = [threading.Thread(target=lambda: numbers.append(issue(kiosk, selection_id).number)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(numbers) == {"35-0001-H"}
    assert len(numbers) == 4


def test_a_changed_selection_gets_its_own_number(kiosk: Kiosk) -> None:
    selection_id = selection_of(kiosk, BUNDLE)
    first = issue(kiosk, selection_id)
    with kiosk.ops_write() as ops:
        selections.add_line(ops.execute, kiosk.catalog.read(), selection_id, wish=Wish(listing_id=109), now=NOW)

    second = issue(kiosk, selection_id)

    assert (first.counter, second.counter) == (1, 2)
    assert [line.listing_id for line in tokens.decode(second.token).lines] == [101, 109]


@pytest.mark.parametrize("legal_name", ["x" * 3_000_000, "half a pair \\ud800"])
def test_a_slip_whose_event_could_not_travel_is_refused_before_it_is_issued(kiosk: Kiosk, legal_name: str) -> None:
    selection_id = selection_of(kiosk, BUNDLE)
    with kiosk.catalog.write() as catalog:
        [(seller_id, before)] = catalog.execute(
            "select seller_id, body from seller join listing using (seller_id) where listing_id = 101"
        )
        body = before.replace('"legal_name":"', f'"legal_name":"{legal_name}')
        assert body != before
        catalog.execute("update seller set body = ? where seller_id = ?", [body, seller_id])

    with pytest.raises(Unrecordable):
        issue(kiosk, selection_id)
    assert kiosk.ops.read().execute("select (select count(*) from slip), (select count(*) from outbox)").fetchone() == (0, 0)

    with kiosk.catalog.write() as catalog:
        catalog.execute("update seller set body = ? where seller_id = ?", [before, seller_id])
    assert issue(kiosk, selection_id).counter == 1


def test_an_empty_selection_gets_no_slip(kiosk: Kiosk) -> None:
    with pytest.raises(EmptySelection):
        issue(kiosk, selection_of(kiosk))


def test_a_price_that_moved_is_not_taken_silently(kiosk: Kiosk) -> None:
    selection_id = selection_of(kiosk, BUNDLE)
    change_price(kiosk, 101, 37400)

    with pytest.raises(PriceChanged) as refusal:
        issue(kiosk, selection_id)

    assert (refusal.value.data["was_cents"], refusal.value.data["now_cents"]) == (36900, 37900)
    assert kiosk.ops.read().execute("select count(*) from slip").fetchone() == (0,)


def test_a_price_the_customer_saw_change_is_taken(kiosk: Kiosk) -> None:
    selection_id = selection_of(kiosk, BUNDLE)
    change_price(kiosk, 101, 37400)
    shown = selections.priced_selection(kiosk.ops.read().execute, kiosk.catalog.read(), selection_id, now=NOW)

    slip = issue(kiosk, selection_id, seen=shown.fingerprint)

    assert shown.lines[0].state == "changed"
    assert slip.facts["lines"][0]["listing"]["all_in_cents"] == 37900


def test_a_page_gone_stale_is_refused(kiosk: Kiosk) -> None:
    selection_id = selection_of(kiosk, BUNDLE)
    shown = selections.priced_selection(kiosk.ops.read().execute, kiosk.catalog.read(), selection_id, now=NOW)
    with kiosk.ops_write() as ops:
        selections.add_line(ops.execute, kiosk.catalog.read(), selection_id, wish=Wish(listing_id=109), now=NOW)

    with pytest.raises(slips.SelectionChanged):
        issue(kiosk, selection_id, seen=shown.fingerprint)


def test_a_listing_gone_is_refused_and_the_next_best_offered(kiosk: Kiosk) -> None:
    selection_id = selection_of(kiosk, BUNDLE)
    with kiosk.catalog.write() as catalog:
        catalog.execute("update stock set quantity = 0 where listing_id = 101")

    with pytest.raises(ListingGone):
        issue(kiosk, selection_id)
    shown = selections.priced_selection(kiosk.ops.read().execute, kiosk.catalog.read(), selection_id, now=NOW)

    assert (shown.lines[0].state, shown.is_issuable) == ("gone", False)
    assert shown.lines[0].instead is not None
    assert shown.lines[0].instead.listing_id == 102


def test_issue_time_never_runs_backwards(kiosk: Kiosk) -> None:
    first = issue(kiosk, selection_of(kiosk, BUNDLE))
    second = issue(kiosk, selection_of(kiosk, BUNDLE), later=timedelta(days=-400))

    assert second.issued_at == first.issued_at
    assert second.counter == 2


def test_a_clock_lost_or_behind_hq_never_stops_the_corner(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        store_setting(ops, "hq_time", None)
    first = issue(kiosk, selection_of(kiosk, BUNDLE), later=timedelta(days=-20000))
    with kiosk.ops_write() as ops:
        store_setting(ops, "hq_time", "2026-11-22T14:00:40Z")
    second = issue(kiosk, selection_of(kiosk, BUNDLE), later=timedelta(days=-20000))

    assert (first.issued_at, second.issued_at) == ("2025-01-01T00:00:00Z", "2026-11-22T14:00:00Z")
    assert tokens.decode(first.token).issued_minute == 0


def test_a_new_key_goes_on_from_the_numbers_on_paper(kiosk: Kiosk) -> None:
    first = issue(kiosk, selection_of(kiosk, BUNDLE))
    kiosk.device = replace(kiosk.device, key_id="00000000")
    second = issue(kiosk, selection_of(kiosk, BUNDLE))

    assert (first.counter, second.counter) == (1, 2)
    assert first.number != second.number


def test_a_voided_slip_stays_and_its_selection_can_be_issued_again(kiosk: Kiosk) -> None:
    selection_id = selection_of(kiosk, BUNDLE)
    first = issue(kiosk, selection_id)
    with kiosk.ops_write() as ops:
        slips.void_slip(ops, first.number, clerk_id="camille", reason="mistake", now=NOW)

    second = issue(kiosk, selection_id)

    void = slips.slip(kiosk.ops.read(), first.number).void
    assert void == {"clerk_id": "camille", "reason": "mistake", "voided_at": clock.to_text(NOW)}
    assert second.counter == 2
    kinds = [kind for (kind,) in kiosk.ops.read().execute("select kind from outbox order by seq")]
    assert kinds == ["slip_issued", "slip_voided", "slip_issued"]
    with kiosk.ops_write() as ops, pytest.raises(SlipAlreadyVoided):
        slips.void_slip(ops, first.number, clerk_id="camille", reason="mistake", now=NOW)


def test_a_slip_is_voided_for_a_known_reason_only(kiosk: Kiosk) -> None:
    slip = issue(kiosk, selection_of(kiosk, BUNDLE))
    with kiosk.ops_write() as ops, pytest.raises(Invalid):
        slips.void_slip(ops, slip.number, clerk_id="camille", reason="because", now=NOW)
    assert slips.slip(kiosk.ops.read(), slip.number).void is None


def test_an_unknown_number_is_not_found(kiosk: Kiosk) -> None:
    with pytest.raises(NotFound):
        slips.slip(kiosk.ops.read(), "35-0009-H")


def test_a_restored_device_starts_where_hq_says(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("insert into setting (name, value) values ('first_counter', '1042')")

    assert issue(kiosk, selection_of(kiosk, BUNDLE)).counter == 1042


def test_failing_at_any_statement_leaves_no_half_slip(kiosk: Kiosk) -> None:
    """The 1st, 2nd, 3rd … statement of "issue slip" fails in turn until one run passes."""
    catalog, device = kiosk.catalog.read(), kiosk.device
    selection_id = selection_of(kiosk, BUNDLE)
    for allowed in range(200):
        database = connect(kiosk.directory / "ops.db", durable=True)
        stop_after(database, allowed, lambda: 1)
        try:
            with write(database):
                slips.issue_slip(database, catalog, selection_id, device=device, seen=None, language="fr", now=NOW)
        except (OperationalError, PosError):
            check_records(kiosk, slips_expected=0)
            continue
        finally:
            database.conn.set_progress_handler(None, 0)
            database.close()
        break
    assert allowed > 5
    check_records(kiosk, slips_expected=1)


def test_killed_at_any_statement_leaves_no_half_slip(kiosk: Kiosk) -> None:
    """A real process is killed (SIGKILL) before its 1st, 2nd, 3rd … statement, on the same file each time."""
    selection_id = selection_of(kiosk, BUNDLE)
    fork = multiprocessing.get_context("fork")
    kiosk.catalog.close()
    kiosk.ops.close()
    for allowed in range(60):
        child = fork.Process(target=issue_and_die, args=(kiosk.directory, selection_id, allowed))
        child.start()
        child.join()
        check_records(kiosk, slips_expected=0 if child.exitcode else 1)
        kiosk.ops.close()
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
    assert allowed > 5
    assert issue(kiosk, selection_of(kiosk, BUNDLE)).counter == 2


def issue_and_die(directory: Path, selection_id: str, allowed: int) -> None:
    database = connect(directory / "ops.db", durable=True)
    catalog = connect(directory / "catalog.db", durable=False)
    device = slips.load_device(directory)
    die_at_statement(database, allowed)
    with write(database):
        slips.issue_slip(database, catalog, selection_id, device=device, seen=None, language="fr", now=NOW)
    os._exit(0)


def die_at_statement(database: Database, allowed: int) -> None:
    seen = 0

    def count(statement: str) -> None:
        nonlocal seen
        if not re.match(r"\s*--", statement):
            seen += 1
            if seen > allowed:
                os.kill(os.getpid(), signal.SIGKILL)

    database.conn.set_trace_callback(count)


def stop_after(database: Database, allowed: int, stop: Callable[[], int]) -> None:
    """Make every statement after the first `allowed` fail with an interruption."""
    seen = 0

    def count(statement: str) -> None:
        nonlocal seen
        seen += 1
        if seen > allowed:
            database.conn.set_progress_handler(stop, 1)

    database.conn.set_trace_callback(count)


def check_records(kiosk: Kiosk, *, slips_expected: int) -> None:
    ops = kiosk.ops.read()
    numbers = [row[0] for row in ops.execute("select number from slip order by counter")]
    told = [json.loads(row[0])["number"] for row in ops.execute("select body from outbox order by seq")]
    counters = [row[0] for row in ops.execute("select counter from slip order by counter")]
    assert numbers == told
    assert counters == list(range(1, len(counters) + 1))
    assert len(numbers) == slips_expected
    assert ops.execute("pragma integrity_check").fetchone() == ("ok",)
