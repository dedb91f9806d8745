from __future__ import annotations

from typing import Any

import pytest

from pos.corners import corner, store_corner
from pos.team import active_member, team
from tests import world
from tests.world import Kiosk


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
