"""Eligibility: reasons and the nearest fix, among a partner's plans."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pos.bodies import Acquisition
from pos.eligibility import Eligibility, Fix, check_plan


def body(monthly_cents: int, *, rank: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "partner_id": "loire-mobile",
        "rank": rank,
        "monthly_cents": monthly_cents,
        "promo_monthly_cents": None,
        "promo_months": 0,
        "commitment_months": 24,
        "activation_cents": 100,
        "exit_fee_cents": 500,
        "device_discount_cents": 18000,
        "min_device_cents": 25000,
        "refund_cents": 0,
        "instalment_months": 0,
        "deposit_cents": 0,
        "acquisitions": ["new", "port", "renewal"],
        "max_devices": 2,
        **changes,
    }


def sim_only(monthly_cents: int, **changes: Any) -> dict[str, Any]:
    return body(
        monthly_cents,
        **{"device_discount_cents": 0, "min_device_cents": 0, "max_devices": 0, "acquisitions": ["new", "port"], **changes},
    )


PLANS = [
    (1, sim_only(699, rank=1)),
    (2, sim_only(1799, rank=2)),
    (5, body(1899, rank=5, min_device_cents=15000, max_devices=1)),
    (7, body(2499, rank=7)),
    (9, body(3299, rank=9, min_device_cents=30000, acquisitions=["new", "port"])),
    (11, body(3499, rank=11, min_device_cents=35000, instalment_months=24)),
]


def check(
    plan_id: int,
    device_cents: int | None = 36900,
    *,
    devices: int = 1,
    acquisition: Acquisition = "new",
    plans: list[tuple[int, dict[str, Any]]] = PLANS,
) -> Eligibility:
    return check_plan(
        dict(plans)[plan_id],
        plan_id=plan_id,
        device_cents=device_cents,
        devices=devices,
        acquisition=acquisition,
        other_plans=plans,
    )


def codes(answer: Eligibility) -> list[str]:
    return [reason.code for reason in answer.reasons]


@pytest.mark.parametrize("plan_id", [5, 7, 9, 11])
def test_a_good_device_with_a_device_plan_needs_no_word(plan_id: int) -> None:
    assert check(plan_id) == Eligibility(is_eligible=True, reasons=(), fix=None)


@pytest.mark.parametrize("plan_id", [plan_id for plan_id, _ in PLANS])
def test_a_plan_alone_asks_nothing_of_devices(plan_id: int) -> None:
    assert check(plan_id, None, devices=0) == Eligibility(is_eligible=True, reasons=(), fix=None)


def test_a_plan_without_advantage_is_a_note_and_names_the_nearest_with_one() -> None:
    answer = check(1)

    assert answer.is_eligible
    assert codes(answer) == ["no_device_discount"]
    assert answer.fix == Fix(plan_id=5, monthly_difference_cents=1200)


def test_a_note_never_proposes_another_note() -> None:
    answer = check(1, plans=PLANS[:2])

    assert codes(answer) == ["no_device_discount"]
    assert answer.fix is None


@pytest.mark.parametrize("advantage", [{"refund_cents": 8000}, {"instalment_months": 24}])
def test_refund_and_instalments_are_advantages_too(advantage: dict[str, int]) -> None:
    assert check(3, plans=[(3, sim_only(999, max_devices=1, **advantage))]).reasons == ()


def test_acquisition_not_offered_tells_what_is_and_the_plan_above_that_does() -> None:
    answer = check(9, acquisition="renewal")

    assert not answer.is_eligible
    assert codes(answer) == ["acquisition_not_offered"]
    assert answer.reasons[0].data == {"offered": ["new", "port"]}
    assert answer.fix == Fix(plan_id=11, monthly_difference_cents=200)


@pytest.mark.parametrize(("device_cents", "is_eligible"), [(34999, False), (35000, True)])
def test_device_below_the_minimum(device_cents: int, is_eligible: bool) -> None:
    answer = check(11, device_cents)

    assert answer.is_eligible is is_eligible
    assert codes(answer) == ([] if is_eligible else ["device_below_minimum"])


def test_device_below_the_minimum_goes_to_the_nearest_plan_below_when_none_above_holds() -> None:
    answer = check(11, 32000)

    assert answer.reasons[0].data == {"device_cents": 32000, "min_device_cents": 35000}
    assert answer.fix == Fix(plan_id=9, monthly_difference_cents=-200)


def test_a_plan_that_keeps_the_advantage_comes_before_a_nearer_one_that_only_notes() -> None:
    answer = check(7, 20000)

    assert codes(answer) == ["device_below_minimum"]
    assert answer.fix == Fix(plan_id=5, monthly_difference_cents=-600)


def test_a_cheap_device_is_led_to_a_plan_alone() -> None:
    answer = check(5, 9900)

    assert not answer.is_eligible
    assert answer.fix == Fix(plan_id=2, monthly_difference_cents=-100)


@pytest.mark.parametrize(("devices", "is_eligible"), [(1, True), (2, False)])
def test_too_many_devices(devices: int, is_eligible: bool) -> None:
    answer = check(5, devices=devices)

    assert answer.is_eligible is is_eligible
    if not is_eligible:
        assert codes(answer) == ["too_many_devices"]
        assert answer.reasons[0].data == {"devices": 2, "max_devices": 1}
        assert answer.fix == Fix(plan_id=7, monthly_difference_cents=600)


def test_every_reason_is_told() -> None:
    answer = check(9, 20000, devices=3, acquisition="renewal")

    assert codes(answer) == ["acquisition_not_offered", "device_below_minimum", "too_many_devices"]
    assert answer.fix is None


def test_a_plan_is_never_its_own_fix() -> None:
    newer = (9, body(3299, rank=9))

    assert (
        check_plan(dict(PLANS)[9], plan_id=9, device_cents=36900, devices=1, acquisition="renewal", other_plans=[newer]).fix
        is None
    )


def test_another_partner_is_never_the_fix() -> None:
    foreign = (8, body(3300, partner_id="larkspur-prepaid"))

    assert check(9, acquisition="renewal", plans=[*PLANS[:5], foreign]).fix == Fix(plan_id=7, monthly_difference_cents=-800)


@pytest.mark.parametrize(
    ("rivals", "nearest"),
    [
        ([(21, body(2599, rank=3)), (22, body(2699, rank=1))], 21),
        ([(21, body(2599, rank=3)), (22, body(2599, rank=2))], 22),
        ([(22, body(2599, rank=3)), (21, body(2599, rank=3))], 21),
        ([(21, body(2400, rank=1)), (22, body(4999, rank=9))], 22),
        ([(21, body(2499, rank=9)), (22, body(2500, rank=1))], 21),
        ([(21, body(100, rank=1)), (22, body(2400, rank=2))], 22),
    ],
)
def test_nearest_is_by_price_above_then_rank_then_id(rivals: list[tuple[int, dict[str, Any]]], nearest: int) -> None:
    here = (20, body(2499, acquisitions=["new"]))

    answer = check(20, acquisition="port", plans=[here, *rivals])

    assert answer.fix is not None
    assert answer.fix.plan_id == nearest


def test_order_of_the_plans_does_not_matter() -> None:
    expected = check(1)

    for seed in range(20):
        shuffled = PLANS.copy()
        random.Random(seed).shuffle(shuffled)
        assert check(1, plans=shuffled) == expected
