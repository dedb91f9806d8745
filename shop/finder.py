"""The finder: one free sentence, read as criteria that filter or rank, and what they find on offer."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from pos import clock
from pos.finder.grammar import LONGEST_SENTENCE, Understanding, understand
from pos.finder.lexicon import LANGUAGES
from pos.finder.matching import find
from pos.finder.names import names_of
from shop import door, web

routes = Blueprint("finder", __name__)

MOST_ANSWERS = 24
ELSEWHERE = frozenset({"trade_in", "repair"})
"""What a sentence wants done that no device on offer answers."""


@routes.get("/finder.json")
def finder_json() -> Response:
    """Return a sentence's criteria, what was not understood of it, and the SKUs found, the best first."""
    sentence = _sentence()
    understanding = _understood(sentence)
    return web.as_json(
        {
            "criteria": understanding.criteria,
            "not_understood": [sentence[start:end] for start, end in understanding.not_understood],
            "results": _results(understanding.criteria),
        }
    )


def _sentence() -> str:
    return request.args.get("q", "")[:LONGEST_SENTENCE]


def _understood(sentence: str) -> Understanding:
    """Read a sentence with the words of the language asked for first, else of the visitor's."""
    asked = request.args.get("lang", "")
    visitor = door.visitor()
    language = asked if asked in LANGUAGES else visitor.language
    return understand(sentence, language=language, names=names_of(door.catalog()), currency=visitor.currency)


def _results(criteria: dict[str, Any]) -> list[dict[str, Any]]:
    if not criteria or criteria.get("intent") in ELSEWHERE or criteria.get("deal") == "sim_only":
        return []
    visitor = door.visitor()
    year = clock.local_day(clock.now(), visitor.time_zone)[:4]
    found = find(door.catalog(), criteria, year=int(year), among=visitor.categories, limit=MOST_ANSWERS)
    return [{"sku": suggestion.card["sku"], "offer_cents": suggestion.offer_cents} for suggestion in found.suggestions]
