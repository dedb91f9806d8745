"""The thread that keeps the kiosk in step with HQ while the screens go on reading local files."""

from __future__ import annotations

from kiosk import web


def start_rounds(kiosk: web.Kiosk) -> None:
    """Start rounds in the background."""
