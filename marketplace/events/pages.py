"""`/console/dead-letters`: events nobody could judge, each with its body and reason, to be judged again or closed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from marketplace.db import reading
from marketplace.events import dead_letters
from marketplace.web import marketplace, see_other
from shop.web import render_template
from sync.documents import storable_text

pages = Blueprint("dead_letters", __name__, url_prefix="/dead-letters")
ONE = "/<corner_id>/<key_id>/<stream>/<int:seq>"


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """One dead letter, and its key: corner, key of the device, stream and number."""

    key: dict[str, Any]
    event: dict[str, Any]

    @property
    def body(self) -> str:
        """The body with its fields under each other, or as it came where it is no JSON."""
        return _laid_out(self.event["body"])


@pages.get("")
def listing() -> str:
    """Show the dead letters, then the closed ones."""
    with reading(marketplace().engine) as connection:
        page = dead_letters.dead_letters(connection)
    return render_template("marketplace/events/dead_letters.html", page=page)


@pages.post("/retries")
def retries() -> Response:
    """Let every dead letter be judged once more."""
    dead_letters.retry_all(marketplace().engine)
    marketplace().news.set()
    return see_other("console.dead_letters.listing")


@pages.get(ONE)
def dead_letter(**key: Any) -> str:
    """Show one dead letter, body and all."""
    with reading(marketplace().engine) as connection:
        event = dead_letters.dead_letter(connection, key)
    return render_template("marketplace/events/dead_letter.html", page=DeadLetterPage(key, event))


@pages.post(f"{ONE}/retry")
def retry(**key: Any) -> Response:
    """Let one dead letter be judged once more."""
    dead_letters.retry(marketplace().engine, key)
    marketplace().news.set()
    return see_other("console.dead_letters.listing")


@pages.post(f"{ONE}/note")
def note(**key: Any) -> Response:
    """Close a dead letter with a note."""
    dead_letters.close(marketplace().engine, key, request.form.get("note", ""))
    return see_other("console.dead_letters.listing")


def _laid_out(body: str) -> str:
    try:
        return storable_text(json.dumps(json.loads(body), ensure_ascii=False, indent=2))
    except (ValueError, RecursionError):
        return body
