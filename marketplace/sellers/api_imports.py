"""`/api/v1/imports`: a file of listings, answered with where its report will stand."""

from __future__ import annotations

from flask import Response, request
from pydantic import BaseModel
from sqlalchemy import Connection
from werkzeug.exceptions import UnsupportedMediaType

from marketplace.sellers.api import TABLE_TYPES, ApiQuery, BadBody, TableBody, answer_once, caller, looking, new_routes
from marketplace.sellers.api_listings import MarketQuery
from marketplace.sellers.imports import line_reports, seller_import
from marketplace.sellers.imports import receive as receive_file
from pos import clock


class ImportPath(ApiQuery):
    """The id that sending the file answered."""

    import_id: str


class ImportAccepted(BaseModel):
    """The file is here, and will be taken in; its report stands below this id."""

    import_id: str


class LineProblem(BaseModel):
    """Why a line was refused or held; line 0 speaks of the whole file."""

    line: int
    field: str
    value: str
    code: str
    detail: str


class ImportAnswer(BaseModel):
    """What became of a file: `waiting`, `running`, `publishing`, `done`, or `refused` as a whole.

    The five counts add up to `lines` once all are taken. `publication` is the first that holds the changes, null without any.
    """

    state: str
    lines: int
    added: int
    changed: int
    unchanged: int
    held: int
    refused: int
    publication: int | None
    problems: list[LineProblem]


routes = new_routes("imports")


@routes.post("/imports", responses={202: ImportAccepted})
def receive(query: MarketQuery, raw: TableBody) -> Response:
    """Take a file of listings, CSV or .xlsx, for one market; it is taken in afterwards."""
    key, content = caller("listings"), raw.get_data()
    if request.mimetype not in TABLE_TYPES:
        raise UnsupportedMediaType("a file is text/csv or .xlsx")
    if not content:
        raise BadBody("no file in the body", fields={"body": "missing"})

    def write(connection: Connection) -> tuple[ImportAccepted, int]:
        import_id = receive_file(connection, key.seller_id, content, name="", source="api", market=query.market, now=clock.now())
        return ImportAccepted(import_id=import_id), 202

    return answer_once(key, write)


@routes.get("/imports/<import_id>", responses={200: ImportAnswer})
def one_import(path: ImportPath) -> Response:
    """Return what became of a file, and every reason to refuse or hold a line."""
    key = caller("listings")
    with looking() as connection:
        about = seller_import(connection, key.seller_id, path.import_id)
        reports = line_reports(connection, key.seller_id, path.import_id, outcome="refused", most=None)
        reports += line_reports(connection, key.seller_id, path.import_id, outcome="held", most=None)
    problems = [LineProblem(line=report.line, **each) for report in reports for each in report.problems]
    problems += [LineProblem(**about.problem)] if about.problem else []
    facts = {name: getattr(about, name) for name in ImportAnswer.model_fields if name != "problems"}
    answer = ImportAnswer(**facts, problems=sorted(problems, key=lambda each: each.line))
    return Response(answer.model_dump_json(), content_type="application/json")
