"""What several test folders share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import world


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[world.Kiosk]:
    """An enrolled kiosk in the Nantes corner."""
    made = world.make_kiosk(tmp_path)
    yield made
    made.catalog.close()
    made.ops.close()
