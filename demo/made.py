"""What a demo's directory remembers of how it was made, and the page of access it leaves for programs: `demo.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from demo.past.sellers import SellerAccess

MADE, ACCESS = "made.json", "demo.json"
BEGUN, MADE_PAST = "begun", "made"


class Made(TypedDict, total=False):
    """How far a demo was made: the console's password once it is set up, the size of its catalogue once that is imported.

    `past` is "none", `BEGUN` while it is being made, `MADE_PAST` afterwards, with the ways into its sellers' desks.
    """

    password: str
    listings: int
    past: str
    sellers: Sequence[SellerAccess]


class Access(TypedDict):
    """How people and programs get into a running demo (docs: README, "Try it")."""

    marketplace: str
    kiosk: str
    paper: str
    printer: str
    console_password: str
    clerk_pin: str
    sellers: Sequence[SellerAccess]


def is_demo(directory: Path) -> bool:
    """Tell whether a demo was begun in a directory."""
    return any((directory / name).exists() for name in (MADE, ACCESS))


def read_made(directory: Path) -> Made:
    """Return what a directory remembers, nothing of one that is new."""
    for name in (MADE, ACCESS):
        if (directory / name).exists():
            # Demos of earlier versions kept it all in the one file.
            known = json.loads((directory / name).read_text(encoding="utf-8"))
            made: Made = {key: known[key] for key in Made.__annotations__ if key in known}  # type: ignore[assignment]
            return made
    return {}


def write_made(directory: Path, made: Made) -> None:
    """Remember how far the demo was made."""
    _write(directory / MADE, made)


def write_access(directory: Path, access: Access) -> None:
    """Write how to get into the demo that runs now; only its owner may read it."""
    _write(directory / ACCESS, access)


def _write(path: Path, document: Any) -> None:
    """Write a file that nobody else may open, whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False, indent=2)
    fresh.replace(path)
