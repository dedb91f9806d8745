"""What every page and answer of the marketplace shares beside the shop's machinery: its own state, refusals, headers.

Invariants: GET never writes; an unsafe request from another site is refused, and one that does not say where it comes from
does nothing by a cookie; a page runs no inline script or style.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, current_app, request, url_for
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, InterfaceError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.utils import cached_property

from marketplace import head
from marketplace.bulkhead import Bulkhead, spread_s
from marketplace.door import MARKET_COOKIE, PARTNER_COOKIE, Markets, PublishedPast, door_of, entered_partner, visited_partner
from marketplace.front import largest_body
from marketplace.sources import Network, source_of
from marketplace.tallies import Tallies
from pos.db import DatabaseError as CatalogError
from pos.errors import CatalogUnreadable, NotFound, PosError, Unavailable
from shop import app as shop
from shop import door, problems, web
from shop.web import LANGUAGE_COOKIE
from sync.incoming import PlainRequest

YEAR_S = 31_536_000
SHOP = frozenset({"home", "partners", *(routes.name for routes in shop.ROUTES)})
HEADERS = {
    "Content-Security-Policy": web.POLICY.replace("img-src 'self'", "img-src 'self' data:") + "; manifest-src 'self'",
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
    payment_room: Bulkhead


def marketplace() -> Marketplace:
    """Return the marketplace this app serves."""
    return marketplace_of(current_app)


def marketplace_of(app: Flask) -> Marketplace:
    """Return the marketplace `app` serves."""
    here: Marketplace = app.extensions["marketplace"]
    return here


def markets() -> Markets:
    """Return the markets this app serves."""
    served: Markets = current_app.extensions["marketplace-markets"]
    return served


def see_other(endpoint: str, **values: Any) -> Response:
    """Answer a write: 303 to a page that may be reloaded."""
    return web.see_other(url_for(endpoint, **values))


def may_lead_to(origin: str | None, text: str) -> Response:
    """Return a page whose forms may lead to another origin, by a redirect: Chromium holds `form-action` against that, too."""
    response = Response(text, content_type="text/html; charset=utf-8")
    if origin is not None:
        policy = HEADERS["Content-Security-Policy"].replace("form-action 'self'", f"form-action 'self' {origin}")
        response.headers["Content-Security-Policy"] = policy
    return response


def set_up(app: Flask, markets: Markets, *, past: PublishedPast) -> None:
    """Give `app` what all its pages share, the shop, which asks `past` for past prices, and the answers to what goes wrong."""
    app.before_request(_limit_body)
    here = marketplace_of(app)
    entry = door_of(lambda: marketplace().engine, markets, here.directory, past=past)
    shop.set_up(app, entry, refused=("foreign",), headers=HEADERS)
    app.request_class = TypedRequest
    app.before_request(refuse_nul)
    app.extensions["marketplace-markets"] = markets
    app.jinja_env.filters["product"] = lambda item, rungs: head.product(item, rungs, here.public_url)
    app.context_processor(lambda: {"in_language": _in_language, "market": door.current().market(), "markets": markets.names()})
    app.context_processor(lambda: {"address_example": markets.facts(door.current().market()).address_example})
    app.context_processor(lambda: {"partner": visited_partner()})
    app.context_processor(lambda: {"head": head.head_of(here.public_url, markets)})
    app.after_request(head.keep_out)
    app.after_request(_remember_choices)
    app.register_error_handler(PosError, _refused)
    app.register_error_handler(HTTPException, _failed)
    app.register_error_handler(CatalogError, _catalog_down)
    for kind in (DatabaseError, InterfaceError, PoolTimeout):
        app.register_error_handler(kind, _database_down)


def _in_language(code: str) -> str:
    """Return this page's query in another language: what was asked for stays."""
    asked = {name: values for name, values in request.args.to_dict(flat=False).items() if name != "lang"}
    return "?" + urlencode({**asked, "lang": code}, doseq=True)


def _limit_body() -> None:
    request.max_content_length = largest_body(request.path)


class TypedRequest(PlainRequest):
    """A request whose query, form and cookies hold no NUL: nobody types one, and no database takes one in a text."""

    def __init__(self, environ: dict[str, Any], *arguments: Any, **options: Any) -> None:
        environ["QUERY_STRING"] = environ.get("QUERY_STRING", "").replace("\0", "").replace("%00", "")
        super().__init__(environ, *arguments, **options)

    def _load_form_data(self) -> None:
        super()._load_form_data()
        if has_nul(self.form.to_dict(flat=False)):
            typed = [(name.replace("\0", ""), text.replace("\0", "")) for name, text in self.form.items(multi=True)]
            self.__dict__["form"] = self.parameter_storage_class(typed)

    @cached_property
    def cookies(self) -> ImmutableMultiDict[str, str]:
        """The cookies; one with a NUL, which a browser may write as an octal number in quotes, is left out."""
        return ImmutableMultiDict(each for each in super().cookies.items(multi=True) if not has_nul([*each]))


def has_nul(said: object) -> bool:
    """Tell whether a text somewhere in it, as JSON nests them, holds a NUL."""
    if isinstance(said, Mapping):
        return any(has_nul(name) or has_nul(value) for name, value in said.items())
    if isinstance(said, list):
        return any(has_nul(each) for each in said)
    return isinstance(said, str) and "\0" in said


def refuse_nul() -> None:
    """Refuse an address with a NUL in its path: nothing has it. Raises: NotFound."""
    if "\0" in request.path:
        raise NotFound("no address has a NUL character")


def source() -> str:
    """Return the address this request comes from."""
    return source_of(request.remote_addr or "", request.headers.get("X-Forwarded-For", ""), marketplace().proxies)


def _remember_choices(response: Response) -> Response:
    """Keep the language and the market that the address asked for; leave the partner's shop where it asks for that."""
    if PARTNER_COOKIE in request.args and not entered_partner():
        response.delete_cookie(PARTNER_COOKIE, samesite="Lax", httponly=True)
    asked = request.args.get("lang")
    if asked and asked in door.visitor().spoken:
        response.set_cookie(LANGUAGE_COOKIE, asked, max_age=YEAR_S, samesite="Lax", httponly=True)
    asked = request.args.get("market")
    if asked and asked == door.current().market():
        response.set_cookie(MARKET_COOKIE, asked, max_age=YEAR_S, samesite="Lax", httponly=True)
    if response.mimetype == "text/html":
        response.headers["Content-Language"] = door.visitor().language
    return response


def _refused(problem: PosError) -> Response:
    wait_s = problem.data.get("retry_after_s") or (spread_s() if problem.status == Unavailable.status else None)
    response = _answer(problem.code, problem.status, problem.detail, problem.data)
    if wait_s:
        response.headers["Retry-After"] = str(wait_s)
    return response


def _catalog_down(problem: CatalogError) -> Response:
    """Answer "later" while a replica cannot be read: the next publication makes it anew."""
    logger.error("the published catalogue cannot be read: %s", problem)
    return _refused(CatalogUnreadable("the published catalogue cannot be read"))


def _database_down(problem: SQLAlchemyError) -> Response:
    """Answer "later" when the database cannot: nothing of the request was kept. A statement it refuses is a fault of ours."""
    if isinstance(problem, (DataError, IntegrityError, ProgrammingError)):
        raise problem
    logger.error("the database does not answer: %s", " ".join(str(getattr(problem, "orig", problem)).split()))
    return _refused(Unavailable("the database cannot take this now"))


def _failed(problem: HTTPException) -> Response:
    return web.http_problem(problem, home="/", answer=partial(_answer, data={}))


def _answer(code: str, status: int, detail: str, data: dict[str, Any]) -> Response:
    """Say a problem: in the shop with what lets the customer go on, elsewhere in the words of that page."""
    if request.blueprint in SHOP and not web.wants_json():
        way_on = problems.way_on(code, data)
        return web.problem_answer(code, status, detail, template="shop/errors.html", data=data, way_on=way_on)
    return web.problem_answer(code, status, detail, template="marketplace/errors.html", data=data)
