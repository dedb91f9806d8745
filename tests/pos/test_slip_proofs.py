from __future__ import annotations

import pytest

from pos import selections, slips
from pos.db import connect
from pos.errors import SlipAlreadyVoided
from pos.ops import open_ops
from pos.ops_tables import SLIP_EVENT, migrations
from pos.slip_proofs import SlipAltered, altered
from tests import world
from tests.world import Kiosk

ALTERATIONS = {
    "a digit of the facts": "update slip set facts = replace(facts, '\"due_today_cents\":', '\"due_today_cents\":1')",
    "a letter of the facts": "update slip set facts = replace(facts, 'Nantes', 'Mantes')",
    "facts that are no longer JSON": "update slip set facts = substr(facts, 2)",
    "a bit of the token": "update slip set token = zeroblob(length(token))",
    "the event": "update outbox set body = replace(body, 'Nantes', 'Mantes') where kind = 'slip_issued'",
    "slip and event alike": (
        "update slip set facts = replace(facts, 'Nantes', 'Mantes');"
        "update outbox set body = replace(body, 'Nantes', 'Mantes') where kind = 'slip_issued'"
    ),
    "an event that is gone": "delete from outbox where kind = 'slip_issued'",
}


@pytest.fixture
def number(kiosk: Kiosk) -> str:
    with kiosk.ops_write() as ops:
        selection_id = selections.start_selection(ops.execute, now=world.NOW)
        wish = selections.Wish(listing_id=101, plan_id=world.SERIE_100)
        selections.add_line(ops.execute, kiosk.catalog.read(), selection_id, wish=wish, now=world.NOW)
        slip = slips.issue_slip(
            ops, kiosk.catalog.read(), selection_id, device=kiosk.device, seen=None, language="fr", now=world.NOW
        )
    return slip.number


def test_a_slip_as_it_was_issued_proves_itself(kiosk: Kiosk, number: str) -> None:
    assert slips.slip(kiosk.ops.read(), number).number == number
    assert altered(kiosk.ops.read()) == []


@pytest.mark.parametrize("change", ALTERATIONS)
def test_a_slip_that_changed_on_the_disk_is_not_read(kiosk: Kiosk, number: str, change: str) -> None:
    with kiosk.ops_write() as ops:
        for statement in ALTERATIONS[change].split(";"):
            ops.execute(statement)

    with pytest.raises(SlipAltered):
        slips.slip(kiosk.ops.read(), number)
    assert f"slip {number}" in altered(kiosk.ops.read())


def test_an_event_that_changed_on_the_disk_is_named(kiosk: Kiosk, number: str) -> None:
    with kiosk.ops_write() as ops:
        slips.void_slip(ops, number, clerk_id="camille", reason="test", now=world.NOW)
        ops.execute("update outbox set body = replace(body, 'camille', 'cemille') where kind = 'slip_voided'")

    assert altered(kiosk.ops.read()) == ["event 2"]


def test_an_altered_slip_takes_no_other_out_of_the_day(kiosk: Kiosk, number: str) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("update slip set facts = substr(facts, 2)")

    assert slips.slips_between(kiosk.ops.read(), "2000", "3000") == []


def test_a_slip_that_changed_on_the_disk_can_be_voided(kiosk: Kiosk, number: str) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("update slip set facts = substr(facts, 2)")
        slips.void_slip(ops, number, clerk_id="camille", reason="mistake", now=world.NOW)
        with pytest.raises(SlipAlreadyVoided):
            slips.void_slip(ops, number, clerk_id="camille", reason="mistake", now=world.NOW)


def test_the_records_of_the_first_release_learn_to_find_the_event_of_a_slip(kiosk: Kiosk, number: str) -> None:
    kiosk.ops.close()
    database = connect(kiosk.ops.path, durable=True)
    database.execute("drop index outbox_by_slip")
    # What a disk broke in one event must not keep the others from being found.
    database.execute("insert into outbox values (9, 'slip_issued', '{', '', '', '')")
    database.execute("delete from _sqlite_migrations where name like 'm002%'")
    database.close()

    upgraded = open_ops(kiosk.ops.path)
    plan = upgraded.read().execute(
        f"explain query plan select 1 from outbox where {SLIP_EVENT} and body ->> '$.number' = ?", [number]
    )

    assert "outbox_by_slip" in plan.fetchone()[3]
    assert slips.slip(upgraded.read(), number).number == number
    assert migrations.pending(upgraded.read()) == []
    upgraded.close()
