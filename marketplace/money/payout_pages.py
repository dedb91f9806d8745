"""`/console/payouts`: payouts and what became of them, the bank's file, how a seller is paid, its statements."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from flask import Blueprint, Response, request
from sqlalchemy import Connection
from stdnum import bic, iban
from stdnum.exceptions import ValidationError
from werkzeug.wrappers import Response as AnyResponse

from marketplace.db import reading, row, run_tx
from marketplace.money.bank_files import BankAccount, transfer_file
from marketplace.money.days import end_of_day, next_payout_day
from marketplace.money.fee_pages import rate_bp
from marketplace.money.pages import seller_names
from marketplace.money.payouts import (
    Payout,
    PayoutTerms,
    move_payout,
    newest_payouts,
    payout_terms,
    payouts_in,
    payouts_of,
    send_file,
    set_payout_terms,
)
from marketplace.money.statement_files import (
    sent_file,
    statement_as_csv,
    statement_as_pdf,
    statement_days,
    statement_in,
)
from marketplace.money.statements import Statement
from marketplace.settings import setting, store_setting
from marketplace.web import marketplace, see_other
from pos import clock
from pos.amounts import read_amount
from pos.errors import Invalid, NotFound, Refused
from shop import door
from shop.web import render_template

pages = Blueprint("payouts", __name__, url_prefix="/payouts")
ACCOUNT = "bank_account"


class AccountMissing(Refused):
    """A bank's file needs our own account first."""


class InvalidIban(Refused):
    """Not an IBAN or BIC: the check figures do not fit (ISO 13616, ISO 9362)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutsPage:
    """The newest payouts, how many of them wait for the bank's file, our own account, and when payouts were last planned."""

    payouts: list[Payout]
    sellers: dict[int, str]
    waiting: int
    account: BankAccount | None
    last_day: str | None
    next_day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerMoneyPage:
    """How a seller is paid, what it was paid, and the days its statements end with."""

    seller_id: int
    name: str
    terms: PayoutTerms
    currency: str
    payouts: list[Payout]
    days: list[str]


@dataclass(frozen=True, slots=True)
class StatementPage:
    """One statement and whose it is."""

    name: str
    statement: Statement


@pages.get("")
def listing() -> str:
    """Show the newest payouts."""
    today = clock.local_day(clock.now(), clock.HOME_ZONE)
    with reading(marketplace().engine) as connection:
        payouts = newest_payouts(connection)
        page = PayoutsPage(
            payouts=payouts,
            sellers=seller_names(connection),
            waiting=sum(payout.state == "planned" and payout.is_sepa for payout in payouts),
            account=_account(connection),
            last_day=setting(connection, "payouts_EUR"),
            next_day=next_payout_day(today),
        )
    return render_template("marketplace/money/payouts.html", page=page)


@pages.post("/account")
def store_account() -> AnyResponse:
    """Keep the account payouts are made from."""
    holder, own_bic = request.form.get("holder", "").strip()[:70], request.form.get("bic", "").replace(" ", "").upper()
    if own_bic and not bic.is_valid(own_bic):
        raise InvalidIban("not a BIC", field="bic")
    account = BankAccount(holder, read_iban(request.form.get("iban", "")), own_bic)
    if not holder or not account.iban:
        raise InvalidIban("an account has a holder and an IBAN", field="iban")
    run_tx(marketplace().engine, lambda connection: store_setting(connection, ACCOUNT, asdict(account)))
    return see_other("console.payouts.listing")


@pages.post("/files")
def files() -> AnyResponse:
    """Put what is planned into a file for the bank, and mark it as sent. Raises: AccountMissing."""
    engine, now = marketplace().engine, clock.now()
    with reading(engine) as connection:
        if _account(connection) is None:
            raise AccountMissing("say from which account payouts are made")
    run_tx(engine, lambda connection: send_file(connection, now=now))
    return see_other("console.payouts.listing")


@pages.get("/files/<file_id>")
def bank_file(file_id: str) -> Response:
    """Download a file for the bank: the same bytes each time."""
    with reading(marketplace().engine) as connection:
        payouts, account = payouts_in(connection, file_id), _account(connection)
    if not payouts or account is None:
        raise NotFound("no file has this name")
    document = transfer_file(account, payouts, file_id=file_id)
    return sent_file(document, f"pain.001-{file_id}.xml", "application/xml")


@pages.post("/sellers/<int:seller_id>/payouts/<payout_id>")
def mark(seller_id: int, payout_id: str) -> AnyResponse:
    """Mark a payout as sent, settled or returned."""
    state, reason = request.form.get("state", ""), request.form.get("reason", "").strip()[:200]
    run_tx(
        marketplace().engine,
        lambda connection: move_payout(connection, seller_id, payout_id, state, reason=reason, now=clock.now()),
    )
    return see_other("console.payouts.listing")


@pages.get("/sellers/<int:seller_id>")
def seller(seller_id: int) -> str:
    """Show how a seller is paid, and lead to its statements."""
    today = clock.local_day(clock.now(), clock.HOME_ZONE)
    with reading(marketplace().engine) as connection:
        page = SellerMoneyPage(
            seller_id=seller_id,
            name=_name(connection, seller_id),
            terms=payout_terms(connection, seller_id),
            currency=request.args.get("currency") or "EUR",
            payouts=payouts_of(connection, seller_id),
            days=statement_days(today),
        )
    return render_template("marketplace/money/seller_money.html", page=page)


@pages.post("/sellers/<int:seller_id>")
def store_terms(seller_id: int) -> AnyResponse:
    """Keep how a seller is paid from its next payout on."""
    form, language = request.form, door.visitor().language
    least, until = form.get("least", "").strip(), form.get("reserve_until", "")
    if until:
        end_of_day(until)
    terms = PayoutTerms(
        holder=form.get("holder", "").strip()[:120],
        iban=read_iban(form.get("iban", "")),
        is_held="is_held" in form,
        reserve_bp=rate_bp(form.get("reserve", "")),
        reserve_until=until or None,
        least_cents=read_amount(least, currency="EUR", language=language) if least else None,
    )

    def work(connection: Connection) -> None:
        _name(connection, seller_id)
        set_payout_terms(connection, seller_id, terms)

    if terms.reserve_bp > 10000:
        raise Invalid("a share is at most 100 %", field="reserve")
    run_tx(marketplace().engine, work)
    return see_other("console.payouts.seller", seller_id=seller_id)


@pages.get("/sellers/<int:seller_id>/statements/<day>")
def statement(seller_id: int, day: str) -> str:
    """Show the statement of the period that ends with a day of payouts."""
    with reading(marketplace().engine) as connection:
        page = StatementPage(_name(connection, seller_id), statement_in(connection, seller_id, day))
    return render_template("marketplace/money/statement.html", page=page)


@pages.get("/sellers/<int:seller_id>/statements/<day>/lines.csv")
def statement_file(seller_id: int, day: str) -> Response:
    """Download the lines of a statement."""
    with reading(marketplace().engine) as connection:
        _name(connection, seller_id)
        shown = statement_in(connection, seller_id, day)
    return statement_as_csv(shown)


def read_iban(text: str) -> str:
    """Return an IBAN without its spaces, empty where none is given. Raises: InvalidIban."""
    try:
        return str(iban.validate(text)) if text.strip() else ""
    except ValidationError:
        raise InvalidIban("not an IBAN", field="iban") from None


@pages.get("/sellers/<int:seller_id>/statements/<day>/statement.pdf")
def statement_pdf(seller_id: int, day: str) -> Response:
    """Download a statement as PDF."""
    with reading(marketplace().engine) as connection:
        name, shown = _name(connection, seller_id), statement_in(connection, seller_id, day)
        return statement_as_pdf(connection, shown, name)


def _name(connection: Connection, seller_id: int) -> str:
    known = row(connection, "select 1 as is_there from seller where seller_id = :seller_id", seller_id=seller_id)
    if known is None:
        raise NotFound("no seller has this number")
    return seller_names(connection)[seller_id]


def _account(connection: Connection) -> BankAccount | None:
    stored = setting(connection, ACCOUNT)
    return BankAccount(**stored) if stored else None
