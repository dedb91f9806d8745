"""What every address of the sellers' API shares: the key and its limit, errors of one shape, writes that may be sent again.

Invariants: nothing is done without a key in its scope; a request is counted before anything is looked up for it; a body never
holds a customer's id or a secret. Source: docs/selling.md.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from flask import Flask, Response, g, request
from flask_openapi3 import APIBlueprint, Info, OpenAPI, RawModel
from flask_openapi3.models.security_scheme import SecurityScheme
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, InterfaceError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, UnsupportedMediaType

from marketplace.bulkhead import spread_s
from marketplace.db import reading, run_tx
from marketplace.door import Markets
from marketplace.front import largest_body
from marketplace.sellers.keys import ApiKey, NotInScope, UnknownKey, known_key, note_use
from marketplace.sellers.limits import Allowance, spend
from marketplace.sellers.repeats import ApiAnswer, write_once
from marketplace.web import Marketplace, TypedRequest, has_nul, marketplace, refuse_nul
from pos import clock
from pos.errors import PosError, Refused, Unavailable

PREFIX = "/api/v1"
BEARER = "bearer"
TABLE_TYPES = frozenset({"text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"})
VERSION = "1"
SHAPES = {"model_type": "not a JSON object", "dict_type": "not a JSON object"}
"""What is said in the place of words that name our own classes."""
logger = logging.getLogger(__name__)


class ApiProblem(BaseModel):
    """What went wrong: a code that stays, a sentence, the HTTP status; `fields` where a body is at fault."""

    code: str
    detail: str
    status: int
    fields: dict[str, str] = Field(default_factory=dict)


class ApiShape(BaseModel):
    """A body or a query as it is sent: strict, and nothing in it that we do not know."""

    model_config = ConfigDict(strict=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_nul(cls, body: object) -> object:
        """Refuse a NUL character in any text: no database takes one."""
        if has_nul(body):
            raise ValueError("a text has no NUL character")
        return body


class ApiQuery(BaseModel):
    """What stands in an address."""

    model_config = ConfigDict(extra="forbid")


class TableBody(RawModel):
    """A file as the body."""

    mimetypes = sorted(TABLE_TYPES)


class BadBody(Refused):
    """The body or the address is not of its shape; `data["fields"]` says where."""


PROBLEMS: dict[Any, Any] = dict.fromkeys((401, 403, 404, 405, 413, 415, 422, 429, 503), ApiProblem)


def answered(model: BaseModel) -> Response:
    """Return what a read answers."""
    return Response(model.model_dump_json(), content_type="application/json")


def new_routes(name: str) -> APIBlueprint:
    """Return a part of the API."""
    return APIBlueprint(name, __name__, url_prefix=PREFIX, abp_security=[{BEARER: []}], abp_responses=PROBLEMS)


def new_api(of: Marketplace, *parts: APIBlueprint) -> Flask:
    """Return the app that answers below `/api/v1/`."""
    scheme = SecurityScheme(type="http", scheme=BEARER, description="A key of the sellers' desk.")
    api = OpenAPI(
        "marketplace.sellers.api",
        info=Info(title="Comptoir: sellers' API", version=VERSION),
        security_schemes={BEARER: scheme},
        validation_error_callback=_refuse_shape,
        validation_error_model=ApiProblem,
        doc_ui=False,
        static_folder=None,
    )
    api.url_map.merge_slashes = False
    api.request_class = TypedRequest
    api.extensions["marketplace"] = of
    api.extensions["marketplace-markets"] = Markets(of.engine, of.directory)
    api.before_request(_let_in)
    api.after_request(_add_headers)
    api.register_error_handler(PosError, _refused)
    api.register_error_handler(HTTPException, _failed)
    for kind in (DatabaseError, InterfaceError, PoolTimeout):
        api.register_error_handler(kind, _database_down)
    for part in parts:
        api.register_api(part)
    api.add_url_rule(f"{PREFIX}/openapi.json", "openapi", lambda: api.api_doc)
    return api


def caller(scope: Literal["listings", "orders", "money"]) -> ApiKey:
    """Return the key of this request. Raises: NotInScope."""
    key: ApiKey = g.key
    if scope not in key.scopes:
        raise NotInScope(f"this key is not for {scope}: it is for {', '.join(key.scopes)}")
    return key


@contextmanager
def looking() -> Iterator[Connection]:
    """Lend a connection to read with."""
    with reading(marketplace().engine) as connection:
        yield connection


def answer_once(key: ApiKey, write: Callable[[Connection], tuple[BaseModel, int]]) -> Response:
    """Do a write and answer it: once, however often it is sent under one `Idempotency-Key`."""

    def work(connection: Connection) -> ApiAnswer:
        model, status = write(connection)
        return ApiAnswer(status=status, body=model.model_dump_json())

    asked = f"{request.method} {request.full_path}\n".encode() + request.get_data()
    answer = write_once(marketplace().engine, key.seller_id, request.headers.get("Idempotency-Key"), asked, work, now=clock.now())
    response = Response(answer.body, answer.status, content_type="application/json")
    if answer.is_repeat:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _let_in() -> None:
    """Look at the key, and take a request from it, before the body is read. Raises: UnknownKey, TooManyRequests."""
    request.max_content_length = largest_body(request.path)
    if request.endpoint == "openapi":
        return
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    with reading(marketplace().engine) as connection:
        key = known_key(connection, text.strip() if kind.casefold() == BEARER else "", now=clock.now())

    def take(connection: Connection) -> Allowance:
        note_use(connection, key, now=clock.now())
        return spend(connection, key, now=clock.now())

    g.allowance = run_tx(marketplace().engine, take)
    g.key = key
    refuse_nul()
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if has_body and not (request.is_json or (request.mimetype in TABLE_TYPES and request.endpoint == "imports.receive")):
        raise UnsupportedMediaType("not a type this address takes")


def _add_headers(response: Response) -> Response:
    allowance: Allowance | None = g.get("allowance")
    if allowance is not None:
        response.headers["RateLimit-Limit"] = str(allowance.limit)
        response.headers["RateLimit-Remaining"] = str(allowance.remaining)
        response.headers["RateLimit-Reset"] = str(allowance.reset_s)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _refuse_shape(problem: ValidationError) -> Response:
    """Say where a body is not of its shape, without what it said. Raises: BadBody, always."""
    found = problem.errors(include_input=False)
    fields = {".".join(map(str, wrong["loc"])) or "body": SHAPES.get(wrong["type"], wrong["msg"]) for wrong in found}
    raise BadBody("not of the shape this address takes", fields=fields)


def _refused(problem: PosError) -> Response:
    wait_s = problem.data.get("retry_after_s") or (spread_s() if problem.status == Unavailable.status else None)
    fields = problem.data.get("fields") or ({problem.data["field"]: problem.detail} if "field" in problem.data else {})
    response = _problem(problem.code, problem.status, problem.detail, fields)
    if wait_s:
        response.headers["Retry-After"] = str(wait_s)
    if isinstance(problem, UnknownKey):
        response.headers["WWW-Authenticate"] = "Bearer"
    if problem.status == 429:
        g.allowance = Allowance(limit=problem.data["limit"], remaining=0, reset_s=wait_s or 1)
    return response


def _failed(problem: HTTPException) -> Response:
    response = _problem(problem.name.lower().replace(" ", "_"), problem.code or 500, problem.description or problem.name, {})
    if allowed := problem.get_response().headers.get("Allow"):
        response.headers["Allow"] = allowed
    return response


def _database_down(problem: Exception) -> Response:
    """Answer "later" when the database cannot. A statement it refuses is a fault of ours."""
    if isinstance(problem, (DataError, IntegrityError, ProgrammingError)):
        raise problem
    logger.error("the database does not answer: %s", " ".join(str(getattr(problem, "orig", problem)).split()))
    return _refused(Unavailable("the database cannot take this now"))


def _problem(code: str, status: int, detail: str, fields: Mapping[str, str]) -> Response:
    body: dict[str, Any] = {"code": code, "detail": detail, "status": status} | ({"fields": dict(fields)} if fields else {})
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/json")
