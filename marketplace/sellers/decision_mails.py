"""What a company is told by mail of HQ's decisions about it: the whole statement of reasons, and the way to its desk."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection

from marketplace.money.accounts import of_seller
from marketplace.orders.step_mails import mail_sellers_people
from marketplace.running.mail import send_mail
from marketplace.sellers.applications import application
from marketplace.sellers.standing import Reasons
from pos import clock

TEMPLATE = "seller_decision"


def mail_answer(connection: Connection, seller_id: int, state: str, reasons: Reasons, *, secret: str | None = None) -> None:
    """Tell an applicant that it is let in, with the link (by its `secret`) to its password, or refused, in the transaction."""
    asking = application(connection, seller_id)
    facts = {"state": state, "reasons": asdict(reasons), "path": f"/seller/password/{seller_id}/{secret}"}
    to, language, owner_id = asking.email, asking.language, of_seller(seller_id)
    send_mail(connection, TEMPLATE, to=to, language=language, facts=facts, owner_id=owner_id, unique=state)


def mail_move(connection: Connection, seller_id: int, state: str, reasons: Reasons, *, at: datetime, from_at: datetime) -> None:
    """Tell a seller's people what was decided at a moment about where it stands, and from when on, in the transaction."""
    facts = {"state": state, "reasons": asdict(reasons), "from_at": clock.to_text(from_at), "path": "/seller/company"}
    unique, roles = f"{state}:{clock.to_text(at)}", ("owner",)
    mail_sellers_people(connection, seller_id, TEMPLATE, unique=unique, facts=facts, roles=roles)
