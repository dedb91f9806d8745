"""The shop as a kiosk shows it, over the small world."""

from __future__ import annotations

from tests.kiosk.conftest import app, clerk, client

__all__ = ["app", "clerk", "client"]
