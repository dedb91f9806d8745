from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pos.differences import IN_VERDICT, IS_MORE_BETTER, MOST_SAID, best_places, difference, verdict

VALUES = st.integers(2, 4).flatmap(
    lambda devices: st.dictionaries(
        st.sampled_from(IN_VERDICT),
        st.lists(st.one_of(st.none(), st.integers(0, 6)), min_size=devices, max_size=devices),
    ).map(lambda figures: (devices, figures))
)


@given(VALUES)
def test_a_verdict_says_nothing_that_the_figures_do_not(given: tuple[int, dict[str, list[int | None]]]) -> None:
    devices, figures = given
    told = verdict(figures)

    assert len({each.figure for each in told}) == len(told) <= MOST_SAID
    for each in told:
        values = figures[each.figure]
        known = [value for value in values if value is not None]
        assert len(known) == devices, "a device whose figure is unknown is not judged"
        assert (each.best_value, each.next_value) == (values[each.best], values[each.next])
        turn = -1 if IS_MORE_BETTER[each.figure] else 1
        ordered = sorted(turn * value for value in known)
        assert [turn * each.best_value, turn * each.next_value] == ordered[:2]
        assert each.gap == ordered[1] - ordered[0] > 0, "the best is the only one, by what is said"


@given(VALUES, st.randoms(use_true_random=False))
def test_a_verdict_is_the_same_in_any_order(given: tuple[int, dict[str, list[int | None]]], chance: object) -> None:
    devices, figures = given
    places = list(range(devices))
    chance.shuffle(places)  # type: ignore[attr-defined]  # a `random.Random`
    turned = {name: [values[place] for place in places] for name, values in figures.items()}

    def said(figures: dict[str, list[int | None]], names: Sequence[int]) -> list[tuple[str, int, int, int]]:
        return [(each.figure, names[each.best], each.best_value, each.next_value) for each in verdict(figures)]

    assert said(figures, range(devices)) == said(turned, places)


def test_a_total_that_repeats_the_prices_is_not_said_twice() -> None:
    assert [each.figure for each in verdict({"price_cents": [100, 300], "total_cents": [900, 1100]})] == ["price_cents"]
    assert [each.figure for each in verdict({"price_cents": [100, 300], "total_cents": [900, 800]})] == [
        "price_cents",
        "total_cents",
    ]


def test_the_best_may_be_shared_in_a_row_but_not_in_a_verdict() -> None:
    assert best_places("updates_until", [2029, 2028, 2029]) == {0, 2}
    assert difference("updates_until", [2029, 2028, 2029]) is None


def test_what_people_want_differently_has_no_best() -> None:
    assert best_places("screen_tenths_in", [61, 67]) == frozenset()
    assert best_places("weight_g", [170, 170]) == frozenset()
    assert best_places("weight_g", [170, None]) == frozenset()
