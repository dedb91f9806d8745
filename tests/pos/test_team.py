from __future__ import annotations

import json
from typing import Any

import pytest

from pos.corners import corner, store_corner
from pos.errors import HqAlone, Invalid
from pos.team import TeamMember, active_member, add_member, change_member, team
from tests import world
from tests.pos.test_outbox import events
from tests.world import NOW, Kiosk

QUICK_HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA"


def tell(kiosk: Kiosk, *clerks: dict[str, Any]) -> None:
    """Let HQ list these people."""
    with kiosk.ops_write() as ops:
        store_corner(ops, {**world.corner_document(), "clerks": list(clerks)})


def test_a_list_of_an_older_hq_names_clerks_at_work(kiosk: Kiosk) -> None:
    tell(kiosk, {"clerk_id": "camille", "name": "Camille", "pin_hash": world.pin_hash()})

    [camille] = team(kiosk.ops.read(), corner(kiosk.ops.read()))
    assert (camille["role"], camille["state"], camille["reset_no"], camille["code_hash"]) == ("clerk", "active", 0, "")


@pytest.mark.parametrize(("state", "is_there"), [("active", True), ("suspended", False)])
def test_who_is_suspended_is_on_the_list_and_not_at_work(kiosk: Kiosk, state: str, is_there: bool) -> None:
    tell(kiosk, {"clerk_id": "camille", "name": "Camille", "state": state})
    ops = kiosk.ops.read()

    assert [each["state"] for each in team(ops, corner(ops))] == [state]
    assert (active_member(ops, corner(ops), "camille") is not None) == is_there


@pytest.mark.parametrize("wrong", [{"role": "chief"}, {"state": "away"}, {"code_hash": "246810"}, {"reset_no": -1}])
def test_an_entry_that_cannot_be_read_takes_nobody_else_along(kiosk: Kiosk, wrong: dict[str, Any]) -> None:
    tell(kiosk, {"clerk_id": "camille", "name": "Camille", **wrong}, {"clerk_id": "idriss", "name": "Idriss"})

    assert [each["clerk_id"] for each in team(kiosk.ops.read(), corner(kiosk.ops.read()))] == ["idriss"]


def of(kiosk: Kiosk, clerk_id: str) -> TeamMember:
    return next(each for each in team(kiosk.ops.read(), corner(kiosk.ops.read())) if each["clerk_id"] == clerk_id)


def test_the_manager_s_change_counts_at_once_and_is_told_to_hq(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        added = add_member(ops, corner(ops), "  Zoé   L. ", QUICK_HASH, by="camille", now=NOW)
        change_member(ops, of(kiosk, "idriss"), by="camille", now=NOW, state="suspended")

    assert (added["name"], added["role"], added["reset_no"]) == ("Zoé L.", "clerk", 1)
    assert added["clerk_id"].startswith("zoe-l-")
    assert [(each["name"], each["state"]) for each in team(kiosk.ops.read(), corner(kiosk.ops.read()))] == [
        ("Camille", "active"),
        ("Idriss", "suspended"),
        ("Zoé L.", "active"),
    ]
    told = [json.loads(body) for _, kind, body, *_ in events(kiosk.ops.read()) if kind == "clerk_changed"]
    assert [(each["name"], each["state"], each["change_no"], each["changed_by"]) for each in told] == [
        ("Zoé L.", "active", 1, "camille"),
        ("Idriss", "suspended", 1, "camille"),
    ]


@pytest.mark.parametrize(("change_no", "state"), [(0, "suspended"), (1, "active"), (2, "active")])
def test_hq_s_word_holds_where_it_knows_as_many_changes(kiosk: Kiosk, change_no: int, state: str) -> None:
    with kiosk.ops_write() as ops:
        change_member(ops, of(kiosk, "idriss"), by="camille", now=NOW, state="suspended")
    tell(kiosk, {"clerk_id": "idriss", "name": "Idriss", "state": "active", "change_no": change_no})

    assert of(kiosk, "idriss")["state"] == state


def test_a_suspension_leaves_the_pin_of_an_older_hq_for_the_day_they_are_back(kiosk: Kiosk) -> None:
    before = of(kiosk, "idriss")["pin_hash"]
    with kiosk.ops_write() as ops:
        change_member(ops, of(kiosk, "idriss"), by="camille", now=NOW, state="suspended")
    with kiosk.ops_write() as ops:
        change_member(ops, of(kiosk, "idriss"), by="camille", now=NOW, state="active")
    assert (of(kiosk, "idriss")["pin_hash"], of(kiosk, "idriss")["change_no"]) == (before, 2)
    with kiosk.ops_write() as ops:
        change_member(ops, of(kiosk, "idriss"), by="camille", now=NOW, code_hash=QUICK_HASH)

    assert (of(kiosk, "idriss")["pin_hash"], of(kiosk, "idriss")["reset_no"]) == ("", 1)


def test_only_hq_changes_a_manager(kiosk: Kiosk) -> None:
    with pytest.raises(HqAlone), kiosk.ops_write() as ops:
        change_member(ops, of(kiosk, "camille"), by="camille", now=NOW, state="suspended")
    assert events(kiosk.ops.read()) == []


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x00b", "a\u202eb"])
def test_a_name_that_could_not_be_shown_is_refused(kiosk: Kiosk, name: str) -> None:
    with pytest.raises(Invalid), kiosk.ops_write() as ops:
        add_member(ops, corner(ops), name, QUICK_HASH, by="camille", now=NOW)


def test_whom_hq_names_no_more_works_here_no_more_whatever_was_changed_of_them(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        added = add_member(ops, corner(ops), "Zoé", QUICK_HASH, by="camille", now=NOW)
        for clerk_id, changes in (("idriss", {"state": "suspended"}), ("camille", {"code_hash": QUICK_HASH})):
            change_member(ops, {**of(kiosk, clerk_id), "role": "clerk"}, by="camille", now=NOW, **changes)

    tell(kiosk, {"clerk_id": "nour", "name": "Nour"})

    assert [each["clerk_id"] for each in team(kiosk.ops.read(), corner(kiosk.ops.read()))] == ["nour", added["clerk_id"]]


def test_a_list_that_lost_somebody_unheard_of_here_leaves_the_counter_open(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        change_member(ops, of(kiosk, "idriss"), by="camille", now=NOW, state="suspended")
        ops.execute("update setting set value = json_set(value, '$.clerks', json('[]')) where name = 'corner'")

    assert team(kiosk.ops.read(), corner(kiosk.ops.read())) == []


def test_a_kiosk_that_moves_to_another_corner_leaves_its_people_behind(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        add_member(ops, corner(ops), "Zoé", QUICK_HASH, by="camille", now=NOW)
        store_corner(ops, {**world.corner_document(), "corner_id": "lille-faidherbe"})

    assert "Zoé" not in [each["name"] for each in team(kiosk.ops.read(), corner(kiosk.ops.read()))]
