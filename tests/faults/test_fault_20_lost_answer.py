"""Fault 20: HQ stored the batch and its answer is lost. It is sent again, and counts once."""

from __future__ import annotations

from pathlib import Path

from tests.faults.conftest import Served
from tests.faults.corners import Corner, inbox_states, slips_at_hq
from tests.faults.lines import poor_line


def test_fault_20_an_answer_lost_on_the_way_back_leads_to_one_effect(served: Served, tmp_path: Path) -> None:
    with poor_line(served.port) as line:
        corner = Corner(tmp_path / "kiosk", served, url=line.url)
        corner.round()
        numbers = corner.make_slips(11, 13)
        line.is_deaf = True
        line.cut()
        assert corner.round().faults == ("offline",)
        assert slips_at_hq(served) == sorted(numbers)
        assert corner.acked() == 0

        numbers += corner.make_slips(12)
        line.is_deaf = False
        assert corner.round().faults == ()
        assert corner.acked() == 3
        assert slips_at_hq(served) == sorted(numbers)
        assert inbox_states(served) == [(1, "judged"), (2, "judged"), (3, "judged")]
        corner.close()


def test_fault_20_answers_lost_at_any_byte_lose_and_double_nothing(served: Served, tmp_path: Path) -> None:
    """The answer breaks off after its first byte, its 40th, its 80th … until one arrives whole."""
    with poor_line(served.port) as line:
        corner = Corner(tmp_path / "kiosk", served, url=line.url)
        corner.round()
        numbers = corner.make_slips(11)
        line.breaks_after = 1
        tries = 0
        while corner.acked() < 1:
            line.cut()
            corner.round()
            assert slips_at_hq(served) == numbers
            line.breaks_after += 40
            tries += 1
        assert tries > 5
        assert inbox_states(served) == [(1, "judged")]
        corner.close()
