"""Fault 34: any history at HQ, any number of kiosks at any version. Each one that follows ends at HQ's rows and root."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sync.conftest import Hq, Kiosk, Line, listing, sku

KEYS = st.integers(1, 12)
KIOSKS = 3

step = st.one_of(
    st.tuples(st.just("price"), KEYS, st.integers(1_000, 99_000)),
    st.tuples(st.just("gone"), KEYS, st.just(0)),
    st.tuples(st.just("stock"), KEYS, st.integers(0, 9)),
    st.tuples(st.just("unstocked"), KEYS, st.just(0)),
    st.tuples(st.just("sku"), st.integers(1, 4), st.integers(1, 6)),
    st.tuples(st.just("publish"), st.just(0), st.just(0)),
    st.tuples(st.just("publish"), st.just(0), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from((1, 11, 61, 1_500)), st.just(0)),
    st.tuples(st.just("follow"), st.integers(0, KIOSKS - 1), st.just(0)),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(step, min_size=5, max_size=24))
def test_fault_34_every_kiosk_ends_at_hq_s_rows_whatever_came_between(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, int, int]]
) -> None:
    directory = tmp_path_factory.mktemp("history")
    hq = Hq(directory)
    kiosks = []
    for number in range(KIOSKS):
        (directory / f"kiosk{number}").mkdir()
        kiosks.append(Kiosk(directory / f"kiosk{number}", Line(hq.static)))

    def wait(minutes: int, _: int) -> None:
        hq.now += timedelta(minutes=minutes)

    def follow(number: int, _: int) -> None:
        if hq.replica.exists():
            kiosks[number].follow()

    act: dict[str, Callable[[int, int], object]] = {
        "price": lambda key, value: hq.put("listing", listing(key, sku_id=key % 4 + 1, price_cents=value)),
        "gone": lambda key, _: hq.drop("listing", key),
        "stock": lambda key, value: hq.put("stock", (key, value)),
        "unstocked": lambda key, _: hq.drop("stock", key),
        # Codes go round among SKUs: a unique value that changes hands is the hard case.
        "sku": lambda key, turn: hq.put("sku", *(sku(each, f"CODE-{(each + turn) % 5}") for each in range(1, key + 1))),
        "publish": lambda *_: hq.publish(),
        "wait": wait,
        "follow": follow,
    }
    for name, first, second in history:
        if name == "sku":
            hq.drop("sku", *range(1, 5))
        act[name](first, second)
    hq.publish()
    for kiosk in kiosks:
        kiosk.follow()
        assert kiosk.rows() == hq.rows
        assert kiosk.is_sound()
        kiosk.catalog.close()
    hq.engine.dispose()
