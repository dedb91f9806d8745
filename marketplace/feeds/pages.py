"""`/console/feeds`: HQ sends its feed, sees what it was judged to be, and goes on to what publishing it would change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from marketplace.db import reading, row, run_tx
from marketplace.feeds import uploads
from marketplace.feeds.imports import recent_imports
from marketplace.feeds.uploads import UploadRefused
from marketplace.publishing.publications import markets
from marketplace.web import marketplace, see_other
from shop.web import render_template

pages = Blueprint("feeds", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedsPage:
    """The last imports, how many feeds are still being judged, and `problem`: why nothing was received."""

    imports: list[dict[str, Any]]
    undone: int
    problem: UploadRefused | None


@pages.get("/feeds")
def listing() -> str:
    """Show the form and the last imports."""
    return _listing(None)


@pages.post("/feeds")
def sending() -> Response | tuple[str, int]:
    """Receive a feed, to be judged and imported beside the requests."""
    served = marketplace()
    sent = [(file.filename or "", file.stream) for file in request.files.getlist("file") if file.filename]
    is_meant = request.form.get("withdrawals") == "1"
    try:
        body = uploads.receive_feed(served.directory, sent, is_first=not markets(served.engine))
    except UploadRefused as problem:
        return _listing(problem), problem.status
    run_tx(served.engine, lambda connection: uploads.enqueue_feed(connection, body, is_withdrawal_meant=is_meant))
    return see_other("console.feeds.listing")


def _listing(problem: UploadRefused | None) -> str:
    served = marketplace()
    with reading(served.engine) as connection:
        undone = row(
            connection,
            "select count(*) as undone from job where kind = :kind and state in ('waiting', 'running')",
            kind=uploads.JOB,
        )
        page = FeedsPage(
            imports=recent_imports(connection),
            undone=undone["undone"] if undone else 0,
            problem=problem,
        )
    return render_template("marketplace/feeds/feeds.html", page=page)
