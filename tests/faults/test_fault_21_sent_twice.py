"""Fault 21: two real processes send the same outbox at once. Every event has one effect."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.conftest import Served
from tests.faults.corners import Corner, inbox_states, slips_at_hq, start_sync


@pytest.mark.parametrize("is_copied", [False, True])
def test_fault_21_two_processes_send_one_outbox(served: Served, tmp_path: Path, is_copied: bool) -> None:
    corner = Corner(tmp_path / "kiosk", served)
    corner.round()
    numbers = corner.make_slips(11, 12, 13)
    corner.close()
    other = Path(shutil.copytree(corner.directory, tmp_path / "copy")) if is_copied else corner.directory

    senders = [start_sync(corner.directory), start_sync(other)]
    said = [sender.communicate(timeout=60) for sender in senders]

    ends = sorted(sender.returncode for sender in senders)
    assert ends == [0, 0] if is_copied else ends in ([0, 0], [0, 1]), said
    assert all("Traceback" not in errors for _, errors in said)
    assert slips_at_hq(served) == sorted(numbers)
    assert inbox_states(served) == [(1, "judged"), (2, "judged"), (3, "judged")]
    assert served.hq.rows("select count(*) as n from device where quarantined_at is not null") == [{"n": 0}]
