"""What the tests of the box share: a machine to install on, and a marketplace to enrol at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.machines import Machine, layered_machine
from tests.faults.conftest import Served, serving_hq
from tests.marketplace.conftest import founded
from tests.marketplace.hq import CopiedHq, Hq

__all__ = ["founded"]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """This machine, its files seen through a layer of the test's own."""
    with layered_machine(tmp_path / "layer") as layered:
        yield layered


@pytest.fixture
def served(founded: Hq, tmp_path: Path) -> Iterator[Served]:
    """A marketplace with the small world published, listening."""
    with serving_hq(CopiedHq(founded, tmp_path / "hq")) as made:
        yield made
