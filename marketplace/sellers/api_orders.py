"""`/api/v1/orders`: a seller's parts of orders, what changed since one last asked, and what is done with their units."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Literal

from flask import Response, request
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import Connection

from marketplace.orders.shipments import Shipment
from marketplace.orders.substitutions import give_up
from marketplace.orders.timeline import UnitOfOrder
from marketplace.orders.units import Actor, Unit, accept, ship
from marketplace.sellers.api import ApiQuery, ApiShape, BadBody, answer_once, answered, caller, looking, new_routes
from marketplace.sellers.api_listings import Price
from marketplace.sellers.fields import WrongField, money
from marketplace.sellers.fulfilment import BEFORE, REFUNDED, meant, refund_units, units_of_part
from marketplace.sellers.listings import own_skus
from marketplace.sellers.orders import STATES as UNIT_STATES
from marketplace.sellers.orders import Parcel, SellerPart, changed_parts, parcels, part_of_seller
from marketplace.sellers.trade import selling_rules, sku_facts
from pos import clock
from pos.currencies import decimal
from pos.errors import NotFound

PAGE = 100
MOST_UNITS = 100

Act = Callable[[Connection, list[Unit], Actor], None]
UnitNo = Annotated[int, Field(ge=1, le=10_000)]
Units = Annotated[list[UnitNo] | None, Field(min_length=1, max_length=MOST_UNITS, description="All that can be, where not said.")]


class OrderPath(ApiQuery):
    """The seller's own id of an order, as the list says it."""

    order_id: str


class LinePath(OrderPath):
    """A line of it."""

    line: Annotated[int, Field(ge=1, le=10_000)]


class ChangesQuery(ApiQuery):
    """The `cursor` of the answer before: what changed since comes next. Without it everything does, from the first order on."""

    cursor: Annotated[str, Field(pattern=r"^\d{0,18}$")] = ""


class UnitsBody(ApiShape):
    """Which units of the line are meant."""

    units: Units = None

    @model_validator(mode="before")
    @classmethod
    def _said(cls, body: object) -> object:
        """Take a request without a body for one that says nothing; a body that is no JSON stays refused."""
        return {} if body is None and not request.get_data() else body


class SentDevice(ApiShape):
    """Which device went as a unit: a phone's IMEI, or the serial number of another device that has one."""

    unit: UnitNo
    imei: Annotated[str, Field(max_length=40)] = ""
    serial: Annotated[str, Field(max_length=40)] = ""


class ShipmentBody(UnitsBody):
    """One parcel."""

    carrier: Annotated[str, Field(max_length=100, examples=["Colissimo"])]
    tracking: Annotated[str, Field(max_length=100)]
    devices: Annotated[list[SentDevice], Field(max_length=MOST_UNITS)] = Field(default_factory=list)


class CancellationBody(UnitsBody):
    """Why the units are given up."""

    reason: Literal["stock", "defect", "price", "address", "other"]


class RefundBody(UnitsBody):
    """Why money goes back, and how much for each unit: all that is left of it where nothing is said."""

    reason: Literal["return", "defect", "transit", "late", "goodwill", "other"]
    amount: Price | None = None


class ParcelAnswer(BaseModel):
    """Whom the parcel goes to; null before acceptance and after delivery."""

    name: str
    address: str


class UnitAnswer(BaseModel):
    """A unit: `to_accept`, `accepted`, `shipped`, `delivered`, `returned` or `cancelled`; `refunded` is a decimal text."""

    unit: int
    state: str
    since: str
    refunded: str
    imei: str | None
    serial: str | None
    carrier: str | None
    tracking: str | None


class LineAnswer(BaseModel):
    """A line: your `sku` where the listing has one, our `product`, and the price of one unit that you are owed before our fee."""

    line: int
    sku: str | None
    product: str
    title: str
    grade: str
    price: str
    vat_type: str
    units: list[UnitAnswer]


class OrderAnswer(BaseModel):
    """A seller's part of an order; `accept_by` is when units not accepted are taken from the seller."""

    order_id: str
    number: str
    market: str
    currency: str
    paid_at: str
    accept_by: str
    parcel: ParcelAnswer | None
    lines: list[LineAnswer]


class OrdersAnswer(BaseModel):
    """Orders in the order in which they last changed; ask again with `cursor`, at once while there is `more`."""

    orders: list[OrderAnswer]
    cursor: str
    more: bool


routes = new_routes("orders")


@routes.get("/orders", responses={200: OrdersAnswer})
def every_order(query: ChangesQuery) -> Response:
    """Return the seller's orders that changed since the cursor, a page at a time."""
    key = caller("orders")
    since = int(query.cursor or 0)
    with looking() as connection:
        parts = changed_parts(connection, key.seller_id, since=since, most=PAGE + 1)
        answers = _answers(connection, key.seller_id, parts[:PAGE])
    cursor = parts[:PAGE][-1].changed_no if parts else since
    return answered(OrdersAnswer(orders=answers, cursor=str(cursor), more=len(parts) > PAGE))


@routes.get("/orders/<order_id>", responses={200: OrderAnswer})
def one_order(path: OrderPath) -> Response:
    """Return one order."""
    key = caller("orders")
    with looking() as connection:
        return answered(_answers(connection, key.seller_id, [part_of_seller(connection, key.seller_id, path.order_id)])[0])


@routes.post("/orders/<order_id>/lines/<int:line>/acceptance", responses={200: OrderAnswer})
def acceptance(path: LinePath, body: UnitsBody) -> Response:
    """Accept units that were paid."""
    return _act(path, body.units, BEFORE["acceptance"], accept)


@routes.post("/orders/<order_id>/lines/<int:line>/shipment", responses={200: OrderAnswer})
def shipment(path: LinePath, body: ShipmentBody) -> Response:
    """Note that accepted units are on their way."""
    sent = Shipment(
        carrier=body.carrier,
        tracking=body.tracking,
        imeis={device.unit: device.imei for device in body.devices},
        serials={device.unit: device.serial for device in body.devices},
    )
    return _act(path, body.units, BEFORE["shipment"], lambda connection, units, actor: ship(connection, units, sent, actor))


@routes.post("/orders/<order_id>/lines/<int:line>/cancellation", responses={200: OrderAnswer})
def cancellation(path: LinePath, body: CancellationBody) -> Response:
    """Give up units that were not shipped; their money goes back."""
    return _act(path, body.units, BEFORE["cancellation"], give_up, why=body.reason)


@routes.post("/orders/<order_id>/lines/<int:line>/refund", responses={200: OrderAnswer})
def refund(path: LinePath, body: RefundBody) -> Response:
    """Give money of units back that were shipped."""

    def act(connection: Connection, units: list[Unit], actor: Actor) -> None:
        try:
            cents = money(body.amount, currency=units[0]["currency"]) if body.amount else None
        except WrongField as problem:
            raise BadBody("no amount of this currency", fields={"amount": str(problem)}) from None
        refund_units(connection, units, cents, actor)

    return _act(path, body.units, REFUNDED, act, why=body.reason)


def _act(path: LinePath, unit_nos: Collection[int] | None, states: Collection[str], act: Act, *, why: str = "") -> Response:
    """Do something with units of a line, those named or all that are in one of `states`, and answer the order as it is then."""
    key = caller("orders")
    actor = Actor(by=f"seller:{key.key_id}", at=clock.to_text(clock.now()), why=why)

    def write(connection: Connection) -> tuple[OrderAnswer, int]:
        units = [each for each in units_of_part(connection, key.seller_id, path.order_id) if each["line_no"] == path.line]
        if not units:
            raise NotFound("no such line")
        act(connection, meant(units, states, {(path.line, unit_no) for unit_no in unit_nos or ()}), actor)
        part = part_of_seller(connection, key.seller_id, path.order_id)
        return _answers(connection, key.seller_id, [part])[0], 200

    return answer_once(key, write)


def _answers(connection: Connection, seller_id: int, parts: list[SellerPart]) -> list[OrderAnswer]:
    every = [each for part in parts for each in part.units]
    facts = sku_facts(connection, {each.unit["sku_id"] for each in every})
    skus = own_skus(connection, seller_id, {each.unit["listing_id"] for each in every})
    to = parcels(connection, seller_id, [part.part_id for part in parts])
    grades = selling_rules(connection).code_of
    answers = []
    for part in parts:
        lines = [_line(units, skus, facts, grades) for units in part.lines_in(*UNIT_STATES).values()]
        answers.append(_answer(part, lines, to.get(part.part_id)))
    return answers


def _answer(part: SellerPart, lines: list[LineAnswer], to: Parcel | None) -> OrderAnswer:
    return OrderAnswer(
        order_id=part.part_id,
        number=part.number,
        market=part.market,
        currency=part.currency,
        paid_at=part.paid_at,
        accept_by=part.accept_by,
        parcel=ParcelAnswer(name=to["name"], address=to["address"]) if to else None,
        lines=lines,
    )


def _line(
    units: list[UnitOfOrder], skus: Mapping[int, str], facts: Mapping[int, dict[str, str]], grades: Callable[[int], str]
) -> LineAnswer:
    first = units[0].unit
    known = facts.get(first["sku_id"], {})
    return LineAnswer(
        line=first["line_no"],
        sku=skus.get(first["listing_id"]),
        product=known.get("product", str(first["sku_id"])),
        title=known.get("title", units[0].listing["title"]),
        grade=grades(first["grade_id"]),
        price=decimal(first["owed_cents"], first["currency"]),
        vat_type="MARGINAL" if first["vat_margin"] else "REGULAR",
        units=[_unit(each.unit) for each in units],
    )


def _unit(unit: Unit) -> UnitAnswer:
    return UnitAnswer(
        unit=unit["unit_no"],
        state=unit["state"],
        since=unit["since"],
        refunded=decimal(unit["refunded_cents"], unit["currency"]),
        imei=unit["imei"],
        serial=unit["serial"],
        carrier=unit["carrier"],
        tracking=unit["tracking"],
    )
