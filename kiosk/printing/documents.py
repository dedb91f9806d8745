"""Documents of A4 pages, made in a process of their own: what sets type takes 25 MB that a kiosk would hold for good."""

from __future__ import annotations

import importlib
import pickle  # between a process and its own child, through a pipe that nobody else can write to
import subprocess  # this very interpreter, with nothing of a request in its arguments
import sys
from typing import Any

LONGEST_S = 60
"""A hundred sheets of labels take five seconds."""


def made_apart(place: str, *arguments: Any, **named: Any) -> bytes:
    """Return what the function at `place` (`module:name`) makes of these arguments. Raises: DocumentUnmade."""
    asked = pickle.dumps((place, arguments, named))
    try:
        made = subprocess.run([sys.executable, "-m", __name__], input=asked, capture_output=True, timeout=LONGEST_S, check=True)  # noqa: S603
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as problem:
        raise DocumentUnmade((problem.stderr or str(problem).encode()).decode(errors="replace")) from problem
    return made.stdout


class DocumentUnmade(Exception):
    """What was to make a document failed: a fault of ours, with the words of the process."""


def main() -> None:
    """Make one document: asked for on standard input, sent on standard output."""
    place, arguments, named = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own parent's words
    module, _, name = place.partition(":")
    sys.stdout.buffer.write(bytes(getattr(importlib.import_module(module), name)(*arguments, **named)))


if __name__ == "__main__":
    main()
