from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pos import corners
from pos.errors import Invalid, NotFound
from pos.ops import open_ops
from tests import world
from tests.world import NOW, Kiosk


def check(kiosk: Kiosk, position: str, state: str) -> None:
    with kiosk.ops_write() as ops:
        corners.check_demo_device(ops, corners.corner(ops), position, state=state, clerk_id="camille", now=NOW)


def states(kiosk: Kiosk) -> list[tuple[str, str]]:
    ops = kiosk.ops.read()
    return [(spot["position"], spot["state"]) for spot in corners.demo_devices(ops, corners.corner(ops))]


def test_the_corner_is_what_hq_says(kiosk: Kiosk) -> None:
    corner = corners.corner(kiosk.ops.read())
    assert (corner.corner_no, corner.city, corner.currency, corner.languages) == (101, "Nantes", "EUR", ("fr", "en"))


def test_a_document_that_changes_is_read_anew(kiosk: Kiosk) -> None:
    assert corners.corner(kiosk.ops.read()) is corners.corner(kiosk.ops.read())
    with kiosk.ops_write() as ops:
        ops.execute("update setting set value = json_set(value, '$.city', 'Rezé') where name = 'corner'")

    assert corners.corner(kiosk.ops.read()).city == "Rezé"


def test_there_is_no_corner_before_enrolment(tmp_path: Path) -> None:
    ops = open_ops(tmp_path / "ops.db")
    with pytest.raises(NotFound):
        corners.corner(ops.read())
    ops.close()


@pytest.mark.parametrize("field", sorted(set(world.corner_document()) - {"partner_id"}))
def test_a_corner_document_is_whole_or_refused(field: str) -> None:
    document = world.corner_document()
    del document[field]
    with pytest.raises(Invalid, match=f"{field}: missing"):
        corners.read_corner(document)


def test_a_device_nobody_checked_is_unknown(kiosk: Kiosk) -> None:
    check(kiosk, "A1", "present")
    check(kiosk, "B1", "missing")

    assert states(kiosk) == [("A1", "present"), ("A2", "unknown"), ("B1", "missing")]


def test_a_check_is_told_to_hq(kiosk: Kiosk) -> None:
    check(kiosk, "A1", "missing")
    check(kiosk, "A1", "present")

    events = [(kind, json.loads(body)["state"]) for kind, body in kiosk.ops.read().execute("select kind, body from outbox")]
    assert events == [("demo_checked", "missing"), ("demo_checked", "present")]
    assert states(kiosk)[0] == ("A1", "present")


def test_a_check_counts_for_the_device_it_saw(kiosk: Kiosk) -> None:
    """When HQ puts another device at the position, it has not been seen yet."""
    check(kiosk, "A1", "present")
    with kiosk.ops_write() as ops:
        ops.execute("update setting set value = json_set(value, '$.planogram[0].sku_id', 1) where name = 'corner'")

    assert states(kiosk)[0] == ("A1", "unknown")


def test_a_check_of_nothing_leaves_no_trace(kiosk: Kiosk) -> None:
    with pytest.raises(NotFound):
        check(kiosk, "Z9", "present")
    with pytest.raises(Invalid):
        check(kiosk, "A1", "stolen")
    assert kiosk.ops.read().execute("select count(*) from outbox").fetchone() == (0,)


def test_a_document_judged_when_it_was_stored_is_not_judged_again(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        corners.store_corner(ops, world.corner_document())
    program = f"""
import sys
from pathlib import Path
from pos import corners
from pos.ops import open_ops
store = open_ops(Path({str(kiosk.ops.path)!r}))
print(corners.corner(store.read()).city, "pydantic" in sys.modules)
with store.write() as ops:
    ops.execute("update setting set value = json_set(value, '$.city', 'Rezé') where name = 'corner'")
print(corners.corner(store.read()).city, "pydantic" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout.split("\n")[:2] == ["Nantes False", "Rezé True"]


def test_a_document_with_an_unfit_clerk_is_stored_and_judged_each_time(kiosk: Kiosk) -> None:
    document = world.corner_document()
    document["clerks"][0]["name"] = ""
    with kiosk.ops_write() as ops:
        corners.store_corner(ops, document)

    assert [clerk["clerk_id"] for clerk in corners.corner(kiosk.ops.read()).clerks] == ["idriss"]
