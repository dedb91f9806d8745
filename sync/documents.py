"""JSON that comes in, read so that it has one meaning: what another reader could take otherwise is refused."""

from __future__ import annotations

import json
from typing import Any

from sync.errors import Malformed


def read_json(content: bytes | str) -> Any:
    """Return what a JSON text in UTF-8 says.

    Raises: Malformed for anything that is not JSON as RFC 8259 has it, nests too deep to be read, has a number too long to be
    one, or names a field twice.
    """
    try:
        text = content.decode() if isinstance(content, bytes) else content
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise Malformed(f"not one JSON document: {problem}"[:200]) from problem


def read_object(content: bytes) -> dict[str, Any]:
    """Return the JSON object that a body holds.

    Raises: Malformed; typically for the sign-in page of a shop's guest network, sent in the marketplace's place.
    """
    document = read_json(content)
    if not isinstance(document, dict):
        raise Malformed("not one JSON object")
    return document


def storable_text(text: str) -> str:
    """Return a text as it can be stored: PostgreSQL's text holds no NUL, and no encoding half a surrogate pair."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is named twice")
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
