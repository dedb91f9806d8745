"""What every page and answer of the marketplace shares: language, errors, headers, and who may post.

Invariants: GET never writes; an unsafe request from another site is refused, and one that does not say where it comes from
does nothing by a cookie; a page runs no inline script or style.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, current_app, g, jsonify, render_template, request, url_for
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, InterfaceError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as BaseResponse

import templates
from marketplace.bulkhead import Bulkhead, spread_s
from marketplace.front import largest_body
from marketplace.sources import Network, source_of
from marketplace.tallies import Tallies
from pos import languages
from pos.errors import PosError, Unavailable
from pos.languages import LANGUAGES, text_of, translations
from pos.origins import Cause, ForeignOrigin, cause_of
from pos.words import words
from sync.incoming import is_among, page_above, refuse_many_fields

PAGES = Path(templates.__path__[0])
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
JSON_PATHS = "/sync/"
LANGUAGE_COOKIE = "language"
YEAR_S = 31_536_000
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    # The address of an order is its access and reaches no other site; `no-referrer` would take the Origin from our own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marketplace:
    """What the routes work on. Whoever puts events into the inbox sets `news`; the thread that judges waits for it."""

    engine: Engine
    directory: Path
    public_url: str
    proxies: tuple[Network, ...]
    tallies: Tallies
    news: threading.Event
    uplink_room: Bulkhead
    enrolment_room: Bulkhead


def marketplace() -> Marketplace:
    """Return the marketplace this app serves."""
    return marketplace_of(current_app)


def marketplace_of(app: Flask) -> Marketplace:
    """Return the marketplace `app` serves."""
    here: Marketplace = app.extensions["marketplace"]
    return here


def see_other(endpoint: str, **values: Any) -> BaseResponse:
    """Answer a write: 303 to a page that may be reloaded."""
    return redirect(url_for(endpoint, **values), 303)


def set_up(app: Flask) -> None:
    """Give `app` the language, filters, checks, headers and error pages shared by all routes."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(_gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        money=lambda cents, currency: languages.money(cents, currency, language()),
        number=lambda value: languages.number(value, language()),
        date=lambda text: languages.date(text, language()),
        day=lambda at, zone: languages.day(at, language(), zone),
        moment=lambda at, zone: languages.moment(at, language(), zone),
        said=lambda texts: text_of(texts, language()),
        storage=lambda gigabytes: languages.storage(gigabytes, language()),
        battery=lambda pct, is_new: words(language(), PAGES).battery(pct, is_new),
        option=lambda terms, quantity, currency: words(language(), PAGES).option(terms, quantity, currency),
        for_how_long=lambda spans, currency: words(language(), PAGES).for_how_long(spans, currency),
        acquisition=lambda way: words(language(), PAGES).acquisition(way),
        reason=lambda reason, currency: words(language(), PAGES).reason(reason, currency),
        nearest=lambda plan: words(language(), PAGES).nearest(plan),
        credit=lambda credit, currency: words(language(), PAGES).credit(credit, currency),
        leaving=lambda cents, currency: words(language(), PAGES).leaving(cents, currency),
        refunded=lambda cents, currency: words(language(), PAGES).refunded(cents, currency),
    )
    app.context_processor(lambda: {"language": language(), "languages": LANGUAGES, "in_language": _in_language})
    app.before_request(_limit_body)
    app.before_request(refuse_many_fields)
    app.before_request(_refuse_foreign)
    app.after_request(_add_headers)
    app.register_error_handler(PosError, _refused)
    app.register_error_handler(HTTPException, _failed)
    for kind in (DatabaseError, InterfaceError, PoolTimeout):
        app.register_error_handler(kind, _database_down)


def language() -> str:
    """Return the language of this request: the one asked for in the address, chosen before, or the browser's."""
    if "language" not in g:
        asked = request.args.get("lang") or request.cookies.get(LANGUAGE_COOKIE, "")
        best = request.accept_languages.best_match(list(LANGUAGES), default="fr")
        g.language = asked if asked in LANGUAGES else best
    return str(g.language)


def _in_language(code: str) -> str:
    """Return this page's query in another language: what was asked for stays."""
    asked = {name: values for name, values in request.args.to_dict(flat=False).items() if name != "lang"}
    return "?" + urlencode({**asked, "lang": code}, doseq=True)


def wants_json() -> bool:
    """Tell whether errors of this request are JSON."""
    return request.path.startswith(JSON_PATHS)


def _gettext(message: str) -> str:
    return str(translations("marketplace", language(), PAGES).gettext(message))


def _ngettext(one: str, many: str, number: int) -> str:
    return str(translations("marketplace", language(), PAGES).ngettext(one, many, number))


def _limit_body() -> None:
    request.max_content_length = largest_body(request.path)


def refuse_strange_host(hosts: Collection[str]) -> None:
    """Answer to a Host header that is a name, and only to ours where some are given. Raises: SecurityError."""
    if not request.host or (hosts and not is_among(request.host, hosts)):
        raise SecurityError("the Host header is not one of ours")


def source() -> str:
    """Return the address this request comes from."""
    return source_of(request.remote_addr or "", request.headers.get("X-Forwarded-For", ""), marketplace().proxies)


def cause() -> Cause:
    """Tell whose page caused this request."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    return cause_of(site=site, origin=origin, host=request.host)


def _refuse_foreign() -> None:
    """Refuse unsafe requests another site caused; what acts by a cookie refuses untold ones as well."""
    if request.method not in SAFE and cause() == "foreign":
        raise ForeignOrigin("the request comes from another site")


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static" and "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    if request.args.get("lang") in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, language(), max_age=YEAR_S, samesite="Lax", httponly=True)
    if response.mimetype == "text/html":
        response.headers["Content-Language"] = language()
        response.vary.update(("Accept-Language", "Cookie"))
    return response


def _refused(problem: PosError) -> tuple[Response | str, int, dict[str, str]]:
    wait_s = problem.data.get("retry_after_s") or (spread_s() if problem.status == Unavailable.status else None)
    headers = {"Retry-After": str(wait_s)} if wait_s else {}
    if wants_json():
        answer = jsonify({"code": problem.code, "detail": problem.detail or problem.code, "status": problem.status})
        return answer, problem.status, headers
    page = render_template("marketplace/errors.html", code=problem.code, status=problem.status, data=problem.data)
    return page, problem.status, headers


def _database_down(problem: SQLAlchemyError) -> tuple[Response | str, int, dict[str, str]]:
    """Answer "later" when the database cannot: nothing of the request was kept. A statement it refuses is a fault of ours."""
    if isinstance(problem, (DataError, IntegrityError, ProgrammingError)):
        raise problem
    logger.error("the database does not answer: %s", " ".join(str(getattr(problem, "orig", problem)).split()))
    return _refused(Unavailable("the database cannot take this now"))


def _failed(problem: HTTPException) -> tuple[Response | str, int] | BaseResponse:
    status = problem.code or 500
    if status < 400:
        return problem.get_response()
    if status == 405 and request.method in SAFE and not wants_json():
        above = page_above(current_app.create_url_adapter(request), request.path)  # type: ignore[arg-type]  # a request has one
        return redirect(f"{above or '/'}?{request.query_string.decode()}".rstrip("?"), 303)
    code = problem.name.lower().replace(" ", "_")
    if wants_json() or isinstance(problem, SecurityError):  # a Host we do not trust gets no page with links made from it
        return jsonify({"code": code, "detail": problem.description or code, "status": status}), status
    response = current_app.make_response((render_template("marketplace/errors.html", code=code, status=status, data={}), status))
    if allowed := problem.get_response().headers.get("Allow"):
        response.headers["Allow"] = allowed
    return response, status
