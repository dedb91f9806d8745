"""The payment provider: the one module that speaks to Stripe, and what it says in our own terms.

Invariant: no card data is ever asked for or seen here; what the provider is told of us is a payment's id and what is paid for.
The `stripe` library is loaded when somebody first needs it: most of what the marketplace does never pays.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypedDict

from sqlalchemy import Connection

from marketplace.settings import setting, store_setting
from pos import clock
from pos.errors import Invalid, Refused, Unavailable

SETTING = "payment_provider"
API = "https://api.stripe.com"
PAGES = "https://checkout.stripe.com"
"""Where Stripe's own payment pages stand; another API's stand beside it."""
TIMEOUT_S = (3.0, 8.0)
"""To reach it, and for its answer."""
RETRIES = 1
"""Of the library, within one call, under the same idempotency key."""
EVENT_TOLERANCE_S = 300
MOST_LISTED = 100
MOVED = "balance_transaction"
"""What a charge or refund did to our account there, and what of it the provider kept (Stripe, Balance Transactions)."""
FAILED = ("requires_payment_method", "canceled")
"""States of a payment that a completed page can bring no money with any more (Stripe, PaymentIntents, `status`)."""
DISPUTES = {"won": "won", "lost": "lost", "prevented": "prevented"}
DISPUTES |= dict.fromkeys(("warning_needs_response", "warning_under_review", "warning_closed"), "warned")
"""Our states by those of a dispute that is not open: a warning takes no money (Stripe, Disputes, `status`), and comes before."""


class NoProvider(Unavailable):
    """No payment provider is set up here: nothing that must be paid can be ordered."""


class ProviderDown(Unavailable):
    """The provider does not answer, or not now; whether it did what was asked is not known until it says so."""


class ProviderRefused(Refused):
    """The provider refuses what was asked and did nothing; `data["reason"]` is its code."""


class UnsignedEvent(Invalid):
    """An event that the provider did not sign, or signed too long ago: nothing of it is believed."""


class ProviderSettings(TypedDict):
    """What HQ was given by the provider, as stored; `api` is the address of its API."""

    key: str
    webhook_secret: str
    api: str


CHECKOUT_LANGUAGES = frozenset({"fr", "en", "es", "de"})
"""Ours that the provider's page has (Stripe API, `checkout.sessions.create`, `locale`); else it follows the browser."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionWish:
    """What a customer is to pay: `items` are (words, cents) and add up to the amount; where to come back to; until when."""

    payment_id: str
    currency: str
    items: Sequence[tuple[str, int]]
    back_url: str
    language: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A payment page that was opened, and where it stands."""

    session_id: str
    url: str


@dataclass(frozen=True, slots=True)
class ProviderFee:
    """What the provider kept of one movement of our account there, or gave back where negative, in that account's currency."""

    reference: str
    currency: str
    cents: int


class RefundName(TypedDict):
    """A refund of ours, and how often it was sent anew."""

    refund_id: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFacts:
    """A refund as the provider knows it. `key` is ours, its own id where we did not ask for it; `state` sent, done or failed.

    `fees` is None while one is paid and the provider does not say yet what that costs.
    """

    provider_id: str
    key: str
    is_ours: bool
    cents: int
    state: str
    reason: str
    fees: Sequence[ProviderFee] | None = ()

    @property
    def named(self) -> RefundName:
        """The refund that its key names."""
        refund_id, _, attempt = self.key.partition(".")
        return {"refund_id": refund_id, "attempt": int(attempt or 0)}


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """A claim of the customer's bank as the provider knows it; `state` open, won or lost, as seen from us, warned before any
    money is taken for it, or prevented: none is, or it came back."""

    dispute_id: str
    cents: int
    state: str
    fees: Sequence[ProviderFee] | None = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """A payment as the provider knows it now. `session` is open, complete or expired, also where its payment failed for good.

    `fees` is what was kept of the payment itself, None while the provider does not say.
    """

    session: str
    intent_id: str | None
    received_cents: int
    refunds: Sequence[RefundFacts]
    disputes: Sequence[DisputeFacts]
    fees: Sequence[ProviderFee] | None = None

    @property
    def fees_told(self) -> list[Sequence[ProviderFee] | None]:
        """What was kept of the payment, of each refund and of each dispute, None of what the provider does not say yet."""
        return [self.fees, *(refund.fees for refund in self.refunds), *(dispute.fees for dispute in self.disputes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEvent:
    """What a verified event speaks of; it is a reason to ask, never a fact to book."""

    event_id: str
    kind: str
    payment_id: str
    intent_id: str


def read_settings(connection: Connection) -> ProviderSettings | None:
    """Return what is stored of the provider, None before HQ gave it."""
    stored: ProviderSettings | None = setting(connection, SETTING)
    return stored


def store_settings(connection: Connection, stored: ProviderSettings) -> None:
    """Store what HQ was given by the provider, in the caller's transaction."""
    store_setting(connection, SETTING, stored)


def provider(connection: Connection) -> Provider:
    """Return the provider as it is set up. Raises: NoProvider."""
    stored = read_settings(connection)
    if stored is None:
        raise NoProvider("no payment provider is set up: `comptoir marketplace payments`")
    return provider_of(stored["key"], stored["webhook_secret"], stored["api"])


def pages_origin(connection: Connection) -> str | None:
    """Return the origin of the provider's payment pages, for `form-action`; None without a provider."""
    stored = read_settings(connection)
    if stored is None:
        return None
    return PAGES if stored["api"] == API else stored["api"]


@lru_cache(maxsize=4)
def provider_of(key: str, webhook_secret: str, api: str) -> Provider:
    """Return the provider at `api` for these secrets; its connections are kept."""
    return Provider(key, webhook_secret, api)


class Provider:
    """What we ask of the provider. Every call has a timeout; each raises ProviderDown or ProviderRefused."""

    def __init__(self, key: str, webhook_secret: str, api: str) -> None:
        stripe = _stripe()
        stripe.enable_telemetry = False
        client = stripe.RequestsClient(timeout=TIMEOUT_S)
        self._client = stripe.StripeClient(key, base_addresses={"api": api}, max_network_retries=RETRIES, http_client=client).v1
        self._webhook_secret = webhook_secret

    def try_key(self) -> None:
        """Ask something that needs the key and changes nothing."""
        with _said_in_our_terms():
            self._client.checkout.sessions.list({"limit": 1})
            self._client.balance_transactions.list({"limit": 1})

    def open_session(self, wish: SessionWish) -> OpenedSession:
        """Open a payment page; the same wish again returns the same page.

        Cards alone: with them a completed page means money at once, and units need not wait for a debit that clears in days.
        """
        items = [
            {
                "quantity": 1,
                "price_data": {"currency": wish.currency.lower(), "unit_amount": cents, "product_data": {"name": words}},
            }
            for words, cents in wish.items
        ]
        metadata = {"payment_id": wish.payment_id}
        with _said_in_our_terms():
            opened = self._client.checkout.sessions.create(
                {
                    "mode": "payment",
                    "payment_method_types": ["card"],
                    "line_items": items,
                    "success_url": f"{wish.back_url}?paid=1",
                    "cancel_url": wish.back_url,
                    "locale": wish.language if wish.language in CHECKOUT_LANGUAGES else "auto",
                    "expires_at": int(wish.expires_at.timestamp()),
                    "metadata": metadata,
                    "payment_intent_data": {"metadata": metadata},
                },
                {"idempotency_key": wish.payment_id},
            )
        return OpenedSession(opened.id, str(opened.url))

    def end_session(self, session_id: str) -> None:
        """Let nobody pay a session any more; nothing happens where it was paid or has ended."""
        with _said_in_our_terms():
            try:
                self._client.checkout.sessions.expire(session_id)
            except _stripe().InvalidRequestError as problem:
                if problem.code == "resource_missing":
                    raise

    def payment(self, session_id: str) -> PaymentFacts:
        """Return what the provider knows of a session's payment."""
        with _said_in_our_terms():
            session = self._client.checkout.sessions.retrieve(session_id, {"expand": [f"payment_intent.latest_charge.{MOVED}"]})
            intent: Any = session.payment_intent
            is_paid = intent is not None and intent.amount_received > 0
            # A page is complete once the customer is through with it, though the payment failed afterwards.
            has_failed = session.status == "complete" and intent is not None and intent.status in FAILED
            refunds = self._refunds(intent.id) if is_paid else []
            disputes = self._disputes(intent.id) if is_paid and intent.latest_charge.disputed else []
        return PaymentFacts(
            session="expired" if has_failed else str(session.status),
            intent_id=intent.id if intent is not None else None,
            received_cents=intent.amount_received if intent is not None else 0,
            refunds=refunds,
            disputes=disputes,
            fees=_fees(intent.latest_charge.balance_transaction) if is_paid else None,
        )

    def _refunds(self, intent_id: str) -> list[RefundFacts]:
        listed = self._client.refunds.list({"payment_intent": intent_id, "limit": MOST_LISTED, "expand": [f"data.{MOVED}"]})
        return [_refund_facts(refund) for refund in listed.auto_paging_iter()]

    def _disputes(self, intent_id: str) -> list[DisputeFacts]:
        listed = self._client.disputes.list({"payment_intent": intent_id, "limit": MOST_LISTED})
        return [_dispute_facts(claimed) for claimed in listed.data]

    def refund(self, intent_id: str, *, payment_id: str, cents: int, key: str) -> RefundFacts:
        """Give `cents` back; with the same `key` again, the same refund."""
        with _said_in_our_terms():
            made = self._client.refunds.create(
                {
                    "payment_intent": intent_id,
                    "amount": cents,
                    "reason": "requested_by_customer",
                    "metadata": {"payment_id": payment_id, "refund_key": key},
                    "expand": [MOVED],
                },
                {"idempotency_key": key},
            )
        return _refund_facts(made)

    def event(self, body: bytes, signature: str) -> ProviderEvent:
        """Return what an event of the provider speaks of. Raises: UnsignedEvent."""
        now_s = int(clock.now().timestamp())
        try:
            _stripe().WebhookSignature.verify_header(body, signature, self._webhook_secret)
            signed_s = int(dict(part.split("=", 1) for part in signature.split(","))["t"])
            event = json.loads(body)
            about = event["data"]["object"]
            intent = about["id"] if about.get("object") == "payment_intent" else about.get("payment_intent")
            said = ProviderEvent(
                event_id=str(event["id"]),
                kind=str(event["type"]),
                payment_id=str((about.get("metadata") or {}).get("payment_id", "")),
                intent_id=str(intent or ""),
            )
        except (_stripe().SignatureVerificationError, ValueError, KeyError, TypeError, AttributeError):
            raise UnsignedEvent("not an event of the payment provider") from None
        if abs(now_s - signed_s) > EVENT_TOLERANCE_S:
            raise UnsignedEvent("the event was signed too long ago")
        return said


def _refund_facts(refund: Any) -> RefundFacts:
    metadata = refund.metadata.to_dict() if refund.metadata else {}
    state = {"succeeded": "done", "failed": "failed", "canceled": "failed"}.get(str(refund.status), "sent")
    return RefundFacts(
        provider_id=refund.id,
        key=str(metadata.get("refund_key") or refund.id),
        is_ours="refund_key" in metadata,
        cents=refund.amount,
        state=state,
        reason=str(getattr(refund, "failure_reason", None) or ""),
        fees=_fees(refund.balance_transaction) if state == "done" or refund.balance_transaction else (),
    )


def _dispute_facts(claimed: Any) -> DisputeFacts:
    state = DISPUTES.get(str(claimed.status), "open")
    fees = [fee for moved in claimed.balance_transactions for fee in _fees(moved) or ()]
    return DisputeFacts(claimed.id, claimed.amount, state, fees if fees or state in ("warned", "prevented") else None)


def _fees(moved: Any) -> list[ProviderFee] | None:
    """Return the fee of a balance transaction, None before there is one (asynchronous capture)."""
    if moved is None:
        return None
    return [ProviderFee(moved.id, str(moved.currency).upper(), moved.fee)]


def _stripe() -> Any:
    import stripe  # noqa: PLC0415 - half a second that only paying needs

    return stripe


@contextmanager
def _said_in_our_terms() -> Iterator[None]:
    """Raise what the library raises as our own errors; a key in use by another call counts as not now."""
    stripe = _stripe()
    try:
        yield
    except (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError) as problem:
        raise ProviderDown("the payment provider does not answer") from problem
    except (stripe.AuthenticationError, stripe.PermissionError) as problem:
        raise ProviderDown("the payment provider does not take our key", reason="key") from problem
    except stripe.StripeError as problem:
        reason = str(getattr(problem, "code", None) or "invalid")
        raise ProviderRefused("the payment provider refused", reason=reason) from problem
