"""`/seller/imports`: a seller's files of listings, sent by an owner, each with a report of every line."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as AnyResponse

from marketplace.db import reading, run_tx
from marketplace.money.statement_files import sent_table
from marketplace.sellers import imports as files
from marketplace.sellers.guard import desk_role, signed_in_seller
from marketplace.sellers.imports import ImportsWaiting, LineReport, SellerImport
from marketplace.sellers.listings import home_market
from marketplace.sellers.trade import selling_rules
from marketplace.sellers.verdicts import OUTCOMES
from marketplace.web import marketplace, see_other
from pos import clock
from pos.csv_files import plain
from pos.errors import PosError, Refused
from shop.web import render_template

REASON = ("field", "value", "code", "detail")
COLUMNS = ("line", "sku", "outcome", *REASON)

FIELD_ORDER = (
    *("sku", "ean", "product", "title", "grade", "price", "quantity", "warranty_delay", "shipping_delay", "shipping_price"),
    *("vat_type", "battery", "new_battery", "comment", "min_price", "max_price", "currency", "paused", "confirm_price", "market"),
)
"""The columns a file may have, as the page explains them."""

imports = Blueprint("imports", __name__)


class NoFileSent(Refused):
    """The form brought no file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportsPage:
    """A seller's files; `market` is the one chosen at first, `problem` why a file was not taken."""

    imports: list[SellerImport]
    markets: list[str]
    market: str
    older: str | None
    problem: PosError | None

    fields = FIELD_ORDER


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """A file's report: lines of one outcome or all, from one on; `following` leads on, `held_back` listings wait for HQ."""

    about: SellerImport
    lines: list[LineReport]
    outcome: str
    following: int | None
    held_back: int


@imports.get("/imports")
def listing() -> str:
    """Show the seller's files, the newest first."""
    return _listing(None)


@imports.post("/imports")
@desk_role("owner")
def sending() -> AnyResponse | tuple[str, int]:
    """Store a file, to be taken in beside the requests."""
    person, sent = signed_in_seller(), request.files.get("file")
    content, name = (sent.read(), sent.filename or "") if sent else (b"", "")
    market = request.form.get("market", "")

    def store(connection: Connection) -> str:
        return files.receive(connection, person.seller_id, content, name=name, source="desk", market=market, now=clock.now())

    try:
        if not content:
            raise NoFileSent("no file came with the form", name=name)
        import_id = run_tx(marketplace().engine, store)
    except (NoFileSent, ImportsWaiting) as problem:
        return _listing(problem), problem.status
    return see_other("desk.imports.report", import_id=import_id)


@imports.get("/imports/<import_id>")
def report(import_id: str) -> str:
    """Show what became of a file and of its lines."""
    seller_id, asked = signed_in_seller().seller_id, request.args
    outcome = asked.get("outcome", "") if asked.get("outcome") in OUTCOMES else ""
    digits = asked.get("after", "0")
    after = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else 0
    with reading(marketplace().engine) as connection:
        about = files.seller_import(connection, seller_id, import_id)
        lines = files.line_reports(connection, seller_id, import_id, after=after, outcome=outcome, most=files.PAGE + 1)
        held_back = files.held_back_of(connection, seller_id, import_id) if about.state == "publishing" else 0
    following = lines[files.PAGE - 1].line if len(lines) > files.PAGE else None
    page = ReportPage(about=about, lines=lines[: files.PAGE], outcome=outcome, following=following, held_back=held_back)
    return render_template("marketplace/sellers/report.html", page=page)


@imports.get("/imports/<import_id>/report.csv")
def report_csv(import_id: str) -> Response:
    """Return the report as a file: a line for each reason, one for each line without any."""
    seller_id = signed_in_seller().seller_id
    with reading(marketplace().engine) as connection:
        about = files.seller_import(connection, seller_id, import_id)
        lines = files.line_reports(connection, seller_id, import_id, most=None)
    table = [[about.problem["line"], "", "refused", *(about.problem[name] for name in REASON)]] if about.problem else []
    for line in lines:
        for reason in line.problems or [dict.fromkeys(REASON, "")]:
            table.append([line.line, line.sku, line.outcome, *(reason[name] for name in REASON)])
    cells = [[plain(str(cell)) for cell in record] for record in table]
    return sent_table([COLUMNS, *cells], f"import-{about.import_id}.csv")


def _listing(problem: PosError | None) -> str:
    seller_id, before = signed_in_seller().seller_id, request.args.get("before", "")[:40]
    with reading(marketplace().engine) as connection:
        markets = selling_rules(connection).currencies
        known = files.seller_imports(connection, seller_id, before=before, most=21)
        market = home_market(connection, seller_id, markets)
    older = known[19].import_id if len(known) > 20 else None
    page = ImportsPage(imports=known[:20], markets=list(markets), market=market, older=older, problem=problem)
    return render_template("marketplace/sellers/imports.html", page=page)
