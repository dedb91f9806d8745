"""Fault 15: several publishers start at once. One publishes, the others say that it is busy, and numbers have no gap."""

from __future__ import annotations

import subprocess
import sys

from sync.locks import hold
from tests.faults.test_fault_14_publisher_killed import publications
from tests.marketplace.hq import CopiedHq
from tests.processes import comptoir

PUBLISHERS = 3


def test_fault_15_publishers_at_once_give_one_publication(copied: CopiedHq) -> None:
    copied.import_world(l11={"price": "349.00"})
    command = [sys.executable, "-m", "comptoir", "marketplace", "publish", "--dir", str(copied.directory)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(PUBLISHERS)]
    said = [process.communicate(timeout=90) for process in started]

    assert {process.returncode for process in started} <= {0, 1}
    assert sum("fr: publication 2" in output for output, _ in said) == 1
    refused = [errors for process, (_, errors) in zip(started, said, strict=True) if process.returncode]
    assert all(errors.startswith("comptoir: busy") for errors in refused)
    assert publications(copied.directory) == [1, 2]
    assert copied.publish() is None


def test_fault_15_a_second_publisher_exits_with_a_line_that_says_why(copied: CopiedHq) -> None:
    copied.import_world(l11={"price": "349.00"})
    with hold(copied.directory / "replica" / "publish.lock"):
        said = comptoir("marketplace", "publish", "--dir", str(copied.directory), expect=1)
    assert said.startswith("comptoir: busy")
    assert publications(copied.directory) == [1]
