"""`/console/sellers`: applications to decide about, every seller with its quality and supply, and where each stands and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request, send_file
from sqlalchemy import Connection
from werkzeug.wrappers import Response as AnyResponse

from marketplace.bodies import fit_body
from marketplace.db import reading, row, rows, run_tx
from marketplace.sellers import applications, documents, people, standing
from marketplace.sellers.applications import Application
from marketplace.sellers.decision_mails import mail_answer, mail_move
from marketplace.sellers.desk import password_link
from marketplace.sellers.quality_pages import QualityView, quality_of
from marketplace.sellers.standing import ReasonsMissing
from marketplace.web import marketplace, see_other
from pos import clock
from pos.errors import NotFound, PosError
from pos.rows import SellerRow
from shop.forms import whole
from shop.web import render_template

pages = Blueprint("sellers", __name__, url_prefix="/sellers")
HQ = "hq"


@dataclass(frozen=True, slots=True, kw_only=True)
class SellersPage:
    """The applications that wait and the sellers there are."""

    waiting: list[dict[str, Any]]
    sellers: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerPage:
    """One seller or applicant: `seller` is None before it was let in, `asking` is None for a feed's seller.

    `shown` is a password link made just now, to be passed on; `problem` is why nothing was decided.
    """

    seller: dict[str, Any] | None
    asking: Application | None
    history: list[dict[str, Any]]
    people: list[dict[str, Any]]
    quality: QualityView
    shown: str | None
    problem: PosError | None

    @property
    def seller_id(self) -> int:
        """The number of the seller, or the one an applicant will have."""
        return int(self.seller["seller_id"]) if self.seller else self.asking.seller_id if self.asking else 0

    @property
    def name(self) -> str:
        """What the seller is called."""
        known = self.asking.company["trading_name"] if self.asking else (self.seller or {}).get("body", {}).get("name")
        return known or str(self.seller_id)

    @property
    def moves(self) -> tuple[str, ...]:
        """What HQ may decide."""
        if self.seller is None:
            return ("trial", "refused") if self.asking is not None and self.asking.state == "applied" else ()
        return standing.moves(self.seller["state"], self.history, clock.now()) if self.seller["source"] == "desk" else ()

    @property
    def closing_at(self) -> str | None:
        """When the seller will be closed, where it was told."""
        return standing.closing_at(self.history, clock.now())


@pages.get("")
def listing() -> str:
    """Show the applications that wait, and the sellers with their quality."""
    with reading(marketplace().engine) as connection:
        page = SellersPage(waiting=applications.applications(connection), sellers=sellers(connection))
    return render_template("marketplace/sellers/sellers.html", page=page)


@pages.get("/<int:seller_id>")
def seller(seller_id: int) -> str:
    """Show one seller or applicant, what it sent, and every decision."""
    return render_template("marketplace/sellers/seller.html", page=_page(seller_id))


@pages.get("/<int:seller_id>/documents/<int:document_no>")
def document(seller_id: int, document_no: int) -> Response:
    """Send a document as a download: what a stranger wrote is never shown in the console's own pages."""
    here = marketplace()
    with reading(here.engine) as connection:
        name, kind, path = documents.document(connection, here.directory, seller_id, document_no)
    return send_file(path, mimetype=kind, as_attachment=True, download_name=name)


@pages.post("/<int:seller_id>/decision")
def decision(seller_id: int) -> AnyResponse | tuple[str, int]:
    """Decide where an applicant or a seller stands, with a statement of reasons that is kept and mailed."""
    state, now = request.form.get("state", ""), clock.now()
    try:
        reasons = standing.read_reasons(request.form)
    except ReasonsMissing as problem:
        return render_template("marketplace/sellers/seller.html", page=_page(seller_id, problem)), problem.status

    def work(connection: Connection) -> None:
        if state == "trial":
            applications.admit(connection, seller_id, reasons, by=HQ, now=now)
            mail_answer(connection, seller_id, state, reasons)
        elif state == "refused":
            applications.refuse(connection, seller_id, reasons, by=HQ, now=now)
            mail_answer(connection, seller_id, state, reasons)
        else:
            from_at = standing.move_seller(connection, seller_id, state, reasons, by=HQ, now=now)
            mail_move(connection, seller_id, state, reasons, at=now, from_at=from_at)

    run_tx(marketplace().engine, work)
    return see_other("console.sellers.seller", seller_id=seller_id)


@pages.post("/refusals")
def refusals() -> AnyResponse:
    """Refuse several applications at once for the same reasons: invented ones would keep others out. Raises: ReasonsMissing."""
    reasons, now = standing.read_reasons(request.form), clock.now()
    chosen = sorted({whole(seller_id, "seller") for seller_id in request.form.getlist("seller")})

    def work(connection: Connection) -> None:
        for seller_id in chosen:
            applications.refuse(connection, seller_id, reasons, by=HQ, now=now)
            mail_answer(connection, seller_id, "refused", reasons)

    run_tx(marketplace().engine, work)
    return see_other("console.sellers.listing")


@pages.post("/<int:seller_id>/people/<user_id>/link")
def link(seller_id: int, user_id: str) -> str:
    """Make a link by which somebody at a seller chooses a password, and show it, once."""
    now = clock.now()
    secret = run_tx(marketplace().engine, lambda connection: people.start_link(connection, seller_id, user_id, now=now))
    return render_template("marketplace/sellers/seller.html", page=_page(seller_id, shown=password_link(seller_id, secret)))


def sellers(connection: Connection) -> list[dict[str, Any]]:
    """Return the sellers with their quality and supply, the best first, those suspended last."""
    every = rows(
        connection,
        """
        select seller.seller_id, seller.quality_bp, seller.suspended, seller.body, seller.source, seller.state,
          count(listing.listing_id) as listings,
          coalesce(sum(
            case when listing.quantity > listing.reserved then listing.quantity - listing.reserved else 0 end
          ), 0) as units
        from seller
        left join listing on listing.seller_id = seller.seller_id and listing.state = 'online'
        group by seller.seller_id, seller.quality_bp, seller.suspended, seller.body, seller.source, seller.state
        order by seller.suspended, seller.quality_bp desc, seller.seller_id
        """,
    )
    return [{**seller, "body": fit_body(SellerRow, seller["body"]) or {}} for seller in every]


def _page(seller_id: int, problem: PosError | None = None, shown: str | None = None) -> SellerPage:
    with reading(marketplace().engine) as connection:
        known = row(connection, "select * from seller where seller_id = :seller_id", seller_id=seller_id)
        has_applied = "select 1 as one from seller_application where seller_id = :seller_id"
        asking = applications.application(connection, seller_id) if row(connection, has_applied, seller_id=seller_id) else None
        if known is None and asking is None:
            raise NotFound("no such seller")
        return SellerPage(
            seller={**known, "body": fit_body(SellerRow, known["body"]) or {}} if known else None,
            asking=asking,
            history=standing.steps(connection, seller_id),
            people=people.people(connection, seller_id),
            quality=quality_of(connection, seller_id),
            shown=shown,
            problem=problem,
        )
