"""What a slip freezes keeps its keys and its meaning: `tests/frozen/slip_issued.json` is the event of one made on 2026-11-22."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from pos.corners import CornerDocument
from pos.line_facts import Wish, frozen_exit_cents, wish_of
from pos.ops import store_setting
from pos.slip_facts import SlipFacts
from pos.totals import Line, Totals, selection_totals
from tests import world
from tests.pos.test_slips import issue, selection_of
from tests.world import Kiosk

EVENT: dict[str, Any] = json.loads((Path(__file__).parents[1] / "frozen" / "slip_issued.json").read_text(encoding="utf-8"))
FACTS: SlipFacts = EVENT["facts"]
WISHES = (
    Wish(listing_id=101, plan_id=world.ETALE_200, option_ids=(world.REPAIR,), seen_cents=36900),
    Wish(listing_id=109, quantity=2, seen_cents=35900),
    Wish(plan_id=world.SERIE_100, acquisition="port"),
)


def test_a_slip_is_made_today_as_it_was_then(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        store_setting(ops, "hq_time", None)
    slip = issue(kiosk, selection_of(kiosk, *WISHES))

    [(text,)] = kiosk.ops.read().execute("select body from outbox")
    assert json.loads(text) == EVENT
    assert slip.facts == FACTS


def test_facts_have_the_fields_of_their_type() -> None:
    """HQ may send more of a partner and of a corner than is named."""
    assert [*_strangers(SlipFacts, FACTS, "slip")] == [("slip.partner", ["kind", "market", "phone"])]
    assert [*_strangers(CornerDocument, world.corner_document(), "corner")] == [
        ("corner", ["partner_id"]),
        ("corner.partner", ["kind", "market", "phone"]),
    ]


def test_a_slip_of_then_is_read_as_it_was_meant() -> None:
    lines = FACTS["lines"]

    assert Totals.from_facts(FACTS["totals"]) == selection_totals(Line.from_slip(line) for line in lines)
    assert tuple(wish_of(line) for line in lines) == WISHES
    assert [frozen_exit_cents(line) for line in lines] == [12 * 2999 * 2000 // 10000, None, 0]


@pytest.mark.parametrize("name", ["tax_included"])
def test_a_slip_of_the_first_version_lacks_what_came_later(name: str) -> None:
    assert get_origin(get_type_hints(SlipFacts, include_extras=True)[name]) is NotRequired


def _strangers(kind: Any, value: Any, place: str) -> Any:
    """Yield where a JSON value has other fields than its type names."""
    if get_origin(kind) is NotRequired:
        [kind] = get_args(kind)
    if is_typeddict(kind):
        hints = get_type_hints(kind, include_extras=True)
        required = {name for name, hint in hints.items() if get_origin(hint) is not NotRequired}
        if not required <= value.keys() <= hints.keys():
            yield place, sorted(value.keys() - hints.keys() | required - value.keys())
        for name in hints.keys() & value.keys():
            yield from _strangers(hints[name], value[name], f"{place}.{name}")
    elif get_origin(kind) is list:
        for each in value:
            yield from _strangers(get_args(kind)[0], each, f"{place}[]")
    elif value is not None:
        for choice in get_args(kind):
            if is_typeddict(choice):
                yield from _strangers(choice, value, place)
