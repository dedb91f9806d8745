from __future__ import annotations

from pos import journal
from pos.slip_proofs import broken_events
from tests.pos.test_outbox import events, is_whole
from tests.world import NOW, Kiosk


def test_acts_come_newest_first_and_page_by_page(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        for number in range(5):
            journal.note(ops, "camille", "voided", f"35-000{number}-X", now=NOW)
    ops = kiosk.ops.read()

    page = journal.acts(ops, most=3)
    assert [act.subject for act in page] == ["35-0004-X", "35-0003-X", "35-0002-X"]
    assert [act.subject for act in journal.acts(ops, most=3, before=page[-1].seq)] == ["35-0001-X", "35-0000-X"]
    assert page[0] == journal.CounterAct(5, "camille", "voided", "35-0004-X", "2026-11-22T14:32:00Z")
    plan = ops.execute("explain query plan select seq from outbox where kind = 'counter_act' order by seq desc").fetchall()
    assert "outbox_by_act" in str(plan)


def test_an_act_stands_in_the_chain_whatever_it_was_done_to(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        journal.note(ops, "camille", "voided", "35-0001-H", now=NOW)
        journal.note(ops, "camille", "voided", "x" * 5000, now=NOW)

    assert [len(act.subject) for act in journal.acts(kiosk.ops.read(), most=9)] == [200, 9]
    assert is_whole(events(kiosk.ops.read()))


def test_an_act_changed_or_taken_out_by_hand_shows(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        for number in range(4):
            journal.note(ops, "camille", "voided", str(number), now=NOW)
    assert broken_events(kiosk.ops.read()) == []
    with kiosk.ops_write() as ops:
        ops.execute("update outbox set body = replace(body, 'camille', 'idriss') where seq = 2")
        ops.execute("delete from outbox where seq = 3")

    assert broken_events(kiosk.ops.read()) == [2, 4]
    with kiosk.ops_write() as ops:
        ops.execute("update outbox set body = '{' where seq = 1")
    assert [act.seq for act in journal.acts(kiosk.ops.read(), most=9)] == [4, 2]
