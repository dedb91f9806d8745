from __future__ import annotations

from typing import Any

import pytest

from pos.laws import guarantees, in_force, laws_on
from tests.world import Kiosk


def law(law_id: str, valid_from: str, valid_to: str | None, *, kind: str = "early_exit") -> dict[str, Any]:
    return {"law_id": law_id, "kind": kind, "valid_from": valid_from, "valid_to": valid_to, "body": law_id}


LAWS = [
    law("exit-2023", "2023-01-01", None),
    law("exit-2008", "2008-06-01", "2023-01-01"),
    law("vat", "2014-01-01", None, kind="vat"),
    law("ended", "2014-01-01", "2020-01-01", kind="credit_notice"),
]


@pytest.mark.parametrize(
    ("kind", "day", "expected"),
    [
        ("early_exit", "2008-05-31", None),
        ("early_exit", "2008-06-01", "exit-2008"),
        ("early_exit", "2022-12-31", "exit-2008"),
        ("early_exit", "2023-01-01", "exit-2023"),
        ("early_exit", "2040-01-01", "exit-2023"),
        ("vat", "2026-11-22", "vat"),
        ("credit_notice", "2019-12-31", "ended"),
        ("credit_notice", "2020-01-01", None),
        ("withdrawal", "2026-11-22", None),
    ],
)
def test_law_in_force_on_a_day(kind: str, day: str, expected: str | None) -> None:
    assert in_force(LAWS, day).get(kind) == expected


def test_of_two_laws_in_force_the_later_wins_whatever_the_order() -> None:
    overlapping = [law("b", "2023-01-01", None), law("a", "2023-01-01", None), law("z", "2020-01-01", None)]

    for rows in (overlapping, overlapping[::-1]):
        assert in_force(rows, "2026-01-01") == {"early_exit": "b"}


def test_the_laws_of_a_catalogue_are_read_at_once(kiosk: Kiosk) -> None:
    laws = laws_on(kiosk.catalog.read(), "2026-11-22")

    assert guarantees(laws) == {"legal_months": 24, "withdrawal_days": 14}
    assert laws["early_exit"] == {"rate_bp": 2000, "from_month": 12}
    assert guarantees(laws_on(kiosk.catalog.read(), "2021-12-31")) == {"legal_months": None, "withdrawal_days": None}
