"""The central database: one set of tables for SQLite, PostgreSQL and a sharded PostgreSQL, one file a subject."""

from __future__ import annotations

from marketplace.tables.columns import OWNER_KEYS, metadata
from marketplace.tables.events import inbox, sent
from marketplace.tables.feeds import (
    category,
    feed_import,
    grade,
    law,
    listing,
    market,
    media,
    option,
    partner,
    plan,
    price_start,
    seller,
    sku,
)
from marketplace.tables.fleet import corner, corner_ring, device, device_request, enrolment_code, heartbeat, revocation, standing
from marketplace.tables.listings import api_answer, api_key, seller_listing
from marketplace.tables.money import adjustment, entry, fee_rule, payout, payout_terms, posting
from marketplace.tables.orders import (
    claim,
    customer_order,
    order_line,
    part,
    seller_counter,
    slip,
    slip_void,
    unit,
    unit_step,
)
from marketplace.tables.payments import payment, payment_event, refund
from marketplace.tables.publishing import listing_terms, option_terms, plan_terms, price_start_terms, terms_mark
from marketplace.tables.running import console_failure, job, setting, timer
from marketplace.tables.selections import selection, selection_line, selection_order
from marketplace.tables.sellers import (
    seller_application,
    seller_document,
    seller_link,
    seller_session,
    seller_step,
    seller_user,
)

__all__ = [
    "OWNER_KEYS",
    "adjustment",
    "api_answer",
    "api_key",
    "category",
    "claim",
    "console_failure",
    "corner",
    "corner_ring",
    "customer_order",
    "device",
    "device_request",
    "enrolment_code",
    "entry",
    "fee_rule",
    "feed_import",
    "grade",
    "heartbeat",
    "inbox",
    "job",
    "law",
    "listing",
    "listing_terms",
    "market",
    "media",
    "metadata",
    "option",
    "option_terms",
    "order_line",
    "part",
    "partner",
    "payment",
    "payment_event",
    "payout",
    "payout_terms",
    "plan",
    "plan_terms",
    "posting",
    "price_start",
    "price_start_terms",
    "refund",
    "revocation",
    "selection",
    "selection_line",
    "selection_order",
    "seller",
    "seller_application",
    "seller_counter",
    "seller_document",
    "seller_link",
    "seller_listing",
    "seller_session",
    "seller_step",
    "seller_user",
    "sent",
    "setting",
    "sku",
    "slip",
    "slip_void",
    "standing",
    "terms_mark",
    "timer",
    "unit",
    "unit_step",
]
