"""The tests catch what they are there for: each planted bug is caught by the one named with it."""

from __future__ import annotations

import pytest

from tests.amounts import AMOUNTS, amount
from tests.mutations import BUGS, Bug, is_caught


@pytest.mark.parametrize("bug", BUGS[: amount("planted bugs")], ids=str)
def test_a_planted_bug_is_caught(bug: Bug) -> None:
    assert is_caught(bug), f"{bug} is not caught by {bug.test}"


def test_every_bug_is_another_and_all_are_planted_in_a_full_run() -> None:
    assert len({(bug.module, bug.right, bug.wrong) for bug in BUGS}) == len(BUGS) == AMOUNTS["planted bugs"][1] >= 30
