"""What is wrong with a feed, said so that whoever sent it can mend it: file, line, field, reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pos.errors import Refused

MOST_PROBLEMS = 100
"""A feed with one systematic mistake should not answer with half a million sentences."""


class FeedRefused(Refused):
    """Nothing was imported; `data["problems"]` lists what must be mended, at most `MOST_PROBLEMS` entries."""


class NotInOrder(ValueError):
    """One field's reason, without its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One reason to refuse the feed. `line` counts from 1; 0 speaks of the whole file."""

    file: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.reason}"


class Problems:
    """The problems found so far; refuses at once when there are `MOST_PROBLEMS`."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, file: str, line: int, field: str, reason: str) -> None:
        """Note one problem. Raises: FeedRefused when there are too many to go on."""
        self.found.append(Problem(file=file, line=line, field=field, reason=reason))
        if len(self.found) >= MOST_PROBLEMS:
            self.refuse_any()

    def refuse_any(self) -> None:
        """Raise when anything was found. Raises: FeedRefused."""
        if self.found:
            problems: list[dict[str, Any]] = [asdict(problem) for problem in self.found]
            raise FeedRefused(f"{len(problems)} problem(s), the first: {self.found[0]}", problems=problems)
