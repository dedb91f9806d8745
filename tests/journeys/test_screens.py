"""Every screen of the product, in the looks that `looks.py` asks for: accessible, silent, within the glass, amounts strong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.amounts import IS_FULL, IS_SWEEP, amount
from tests.journeys import pages, traded
from tests.journeys.conftest import System
from tests.journeys.looks import (
    AT_HOME,
    AT_THE_KIOSK,
    LOOKED_AT,
    SIZES,
    Choose,
    Look,
    asked,
    covering,
    in_some_looks,
    in_some_themes,
    offered_looks,
)
from tests.journeys.screens import Way, problems
from tests.journeys.steps import enter_counter
from tests.journeys.traded import Traded

PARTS = 8 if IS_SWEEP else 2 if IS_FULL else 1
"""In how many tests a door's screens are looked at: they run beside each other."""
PANELS_BESIDE = tuple(SIZES)[len(LOOKED_AT) :][: amount("panels a page is measured on") - 2]


@dataclass(frozen=True)
class Door:
    """Screens that belong together in the world of a fixture, and the way in; customers `touch` those of a kiosk.

    Of all `looks` they can have some are chosen for each, and it is measured in more `sizes`.
    """

    screens: Callable[[BrowserContext, Any], dict[str, Way]]
    looks: list[Look]
    enter: Callable[[Page, System], None] | None = None
    is_touched: bool = False
    world: str = "shared_system"
    choose: Choose = in_some_looks
    sizes: tuple[str, ...] = LOOKED_AT


AT_KIOSK, AT_COUNTER = offered_looks("kiosk", AT_THE_KIOSK), offered_looks("kiosk", AT_THE_KIOSK, to_staff=True)
IN_SHOP, IN_CONSOLE = offered_looks("marketplace", AT_HOME), offered_looks("marketplace", AT_HOME, to_staff=True)
DOORS = {
    "kiosk": Door(pages.kiosk_screens, AT_KIOSK, is_touched=True),
    "counter": Door(pages.counter_screens, AT_COUNTER, enter=enter_counter),
    "shop": Door(pages.shop_screens, IN_SHOP),
    "a partner's shop": Door(pages.partner_screens, IN_SHOP, enter=pages.enter_partner),
    "staff's doors": Door(pages.staff_doors, IN_CONSOLE),
    "customers of a trade": Door(traded.customers_screens, IN_SHOP, world="trade", choose=in_some_themes),
    "sellers' desk": Door(traded.desk_screens, IN_CONSOLE, world="trade", choose=in_some_themes, sizes=()),
    "console": Door(traded.console_screens, IN_CONSOLE, world="trade", choose=in_some_themes, sizes=()),
}


@pytest.fixture(scope="session")
def trade(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traded]:
    """One trade for all tests of a worker, that only look at it."""
    with traded.traded(tmp_path_factory.mktemp("trade") / "hq") as made:
        yield made


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", DOORS)
def test_screens(context: BrowserContext, request: pytest.FixtureRequest, name: str, part: int) -> None:
    door, page = DOORS[name], context.new_page()
    world = request.getfixturevalue(door.world)
    screens = door.screens(context, world)
    if door.enter:
        door.enter(page, world)
    mine = set(list(screens)[part::PARTS])
    chosen = [(screen, looks) for screen, looks in asked(list(screens), door.looks, door.choose) if screen in mine]
    sizes = door.sizes + (PANELS_BESIDE if door.is_touched else ())

    wrong = problems(page, screens, chosen, sizes=sizes, is_touched=door.is_touched)

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("looks", [AT_KIOSK, AT_COUNTER, IN_SHOP, IN_CONSOLE])
def test_one_look_a_screen_shows_every_value_and_three_every_two_together(looks: list[Look]) -> None:
    screens = [str(number) for number in range(14)]
    once, thrice = ([look.values.items() for _, look in covering(screens, looks, rounds)] for rounds in (1, 3))

    assert {each for look in once for each in look} == {each for look in looks for each in look.values.items()}
    assert {pair for look in thrice for pair in combinations(look, 2)} == {
        pair for look in looks for pair in combinations(look.values.items(), 2)
    }
    assert len(thrice) == 3 * len(once) == 3 * len(screens)


def test_the_look_sees_what_it_must(context: BrowserContext, shared_system: System) -> None:
    """A policy broken, a picture without words, pale words and prices, what is too wide, small or low, an answer nobody meant."""
    spoilt = """() => {
      const box = document.createElement("div");
      box.innerHTML = '<p style="color: red">styled</p><img src="/drawings/phone-1-2.svg">'
        + '<b>pale</b><em>12,00 €</em><i>low</i><u>cut</u>';
      const [, , pale, price, low, cut] = box.children;
      box.style.inlineSize = "1500px";
      box.style.background = "#fff";
      pale.style.color = "#aaa";
      price.style.color = "#666";
      low.style.fontSize = "9px";
      Object.assign(cut.style, { display: "block", overflow: "hidden", blockSize: "9px" });
      document.querySelector("main").prepend(box);
      document.querySelector("main button").style.zoom = "20%";
    }"""

    def spoil(page: Page) -> int:
        page.goto(f"{shared_system.kiosk_url}/home")
        page.evaluate(spoilt)
        return 404

    page = context.new_page()
    wrong = problems(page, {"spoilt": spoil}, [("spoilt", [Look()])], sizes=("kiosk",), is_touched=True)
    said = " ".join([*wrong, *page.evaluate("eye.spaced()")])

    for wrong in (
        "answered 200, not 404",
        "Content Security Policy",
        "wider than the glass",
        "too small",
        "too low to read",
        "color-contrast: ",
        "color-contrast-enhanced: em",
        "image-alt",
        "cut off: <u",
    ):
        assert wrong in said
