"""What the sets of `requirements/` are once installed: their distributions here, and the size of their files."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[1] / "requirements"
INSTALLER = "pip"
"""Every environment has one; it is no part of the product, though sqlite-utils asks for it."""


def distributions(name: str) -> list[Distribution]:
    """Return the distributions of the set `requirements/<name>.txt` that are installed here, the installer aside.

    What is meant for other systems and versions of Python is not installed, and so not among them.
    """
    names = re.findall(r"^([a-z0-9.-]+)==", (REQUIREMENTS / f"{name}.txt").read_text(), re.MULTILINE)
    return [found for each in names if each != INSTALLER and (found := _installed(each)) is not None]


def top_level(distribution: Distribution) -> set[Path]:
    """Return the folders and files that a distribution puts beside others in `site-packages`."""
    site = Path(str(distribution.locate_file("")))
    return {site / file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}


def size_mb(name: str) -> float:
    """Return the size of a set's files, compiled ones included, in MB (10^6 bytes)."""
    roots = {path for each in distributions(name) for path in top_level(each)}
    files = {file for path in roots for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()}
    return sum(file.stat().st_size for file in files) / 1e6


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None
