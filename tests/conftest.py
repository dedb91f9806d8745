"""What several test folders share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import world

# Tests run beside each other on busy machines: how long one example takes says nothing. Hypothesis has its own profile for CI.
settings.register_profile("busy", deadline=None)
if "CI" not in os.environ:
    settings.load_profile("busy")


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[world.Kiosk]:
    """An enrolled kiosk in the Nantes corner."""
    made = world.make_kiosk(tmp_path)
    yield made
    made.catalog.close()
    made.ops.close()
