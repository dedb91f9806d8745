from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pos import corners
from pos.errors import Invalid, NotFound
from pos.ops import open_ops
from tests import world
from tests.world import Kiosk


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


def test_a_document_that_an_earlier_edition_judged_is_judged_once_more(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    with kiosk.ops_write() as ops:
        corners.store_corner(ops, world.corner_document())
    marks = "select value from setting where name = 'corner_judged'"
    [before] = kiosk.ops.read().execute(marks)
    monkeypatch.setattr(corners, "EDITION", corners.EDITION + 1)
    corners.judge_stored(kiosk.ops)
    [after] = kiosk.ops.read().execute(marks)
    writes = kiosk.ops.read().execute("pragma data_version").fetchone()
    corners.judge_stored(kiosk.ops)

    assert after != before
    assert after[0].partition(" ")[2] == before[0].partition(" ")[2]
    assert kiosk.ops.read().execute("pragma data_version").fetchone() == writes


def test_a_document_with_an_unfit_clerk_is_stored_and_judged_each_time(kiosk: Kiosk) -> None:
    document = world.corner_document()
    document["clerks"][0]["name"] = ""
    with kiosk.ops_write() as ops:
        corners.store_corner(ops, document)

    assert [clerk["clerk_id"] for clerk in corners.corner(kiosk.ops.read()).clerks] == ["idriss"]
