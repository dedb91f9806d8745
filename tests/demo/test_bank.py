from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener, urlopen

import pytest
import stripe
import time_machine

from demo.bank import Bank
from pos import clock
from tests.processes import PATIENCE_S

SHOP = "http://marche.test/orders/1"


class Inbox(ThreadingHTTPServer):
    """Where webhooks arrive; `status` is what it answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.taken: list[tuple[bytes, str]] = []
        self.status = 200

    @property
    def kinds(self) -> list[str]:
        return [json.loads(body)["type"] for body, _ in self.taken]


class _Taking(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((body, self.headers["Stripe-Signature"]))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    server = Inbox()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bank(tmp_path: Path, inbox: Inbox) -> Iterator[Bank]:
    """A bank that answers; its webhooks go out when the test says so."""
    running = opened_bank(tmp_path / "bank", inbox)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.stop()


def opened_bank(directory: Path, inbox: Inbox) -> Bank:
    address = f"http://127.0.0.1:{inbox.server_port}/payments/events"
    made = Bank(directory, host="127.0.0.1", port=0, address="", webhook_url=address)
    made.address = f"http://127.0.0.1:{made.server_port}"
    return made


@pytest.fixture
def client(bank: Bank) -> stripe.StripeClient:
    return client_of(bank, bank.secret_key.read_text().strip())


def client_of(bank: Bank, key: str) -> stripe.StripeClient:
    return stripe.StripeClient(key, base_addresses={"api": bank.address}, max_network_retries=0)


def wish(**changes: Any) -> Any:
    price = {"currency": "eur", "unit_amount": 36900, "product_data": {"name": "iPhone 13"}}
    metadata = {"payment_id": "p1"}
    return {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "success_url": SHOP,
        "cancel_url": f"{SHOP}?left=1",
        "expires_at": int((clock.now() + timedelta(minutes=31)).timestamp()),
        "metadata": metadata,
        "payment_intent_data": {"metadata": metadata},
        **changes,
    }


class Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def tap(url: str, act: str, *, origin: str | None = None) -> tuple[int, str]:
    """Tap a button of a page; return the status and where it leads."""
    headers = {"Origin": origin} if origin else {}
    try:
        build_opener(Stay).open(Request(url, data=urlencode({"act": act}).encode(), headers=headers), timeout=PATIENCE_S)
    except HTTPError as answer:
        with answer:
            return answer.code, answer.headers.get("Location", "")
    raise AssertionError("no redirect")


def seen(url: str) -> str:
    with urlopen(url, timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


def tell(bank: Bank, moment: datetime | None = None) -> int:
    """Send the webhooks due a little later."""
    with time_machine.travel(moment or clock.now() + timedelta(seconds=2), tick=False):
        return bank.webhooks.tell_due(bank.books)


def test_a_session_is_paid_on_its_page_and_the_library_reads_it_so(bank: Bank, client: stripe.StripeClient, inbox: Inbox) -> None:
    session = client.v1.checkout.sessions.create(wish())
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert "369,00" in seen(str(session.url))
    assert "Banque de démonstration" in seen(str(session.url))

    assert tap(str(session.url), "pay") == (303, SHOP)
    moved = "payment_intent.latest_charge.balance_transaction"
    paid: Any = client.v1.checkout.sessions.retrieve(session.id, {"expand": [moved]})
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert (paid.payment_intent.amount_received, paid.payment_intent.metadata["payment_id"]) == (36900, "p1")
    assert paid.payment_intent.latest_charge.amount_captured == 36900
    kept = paid.payment_intent.latest_charge.balance_transaction
    assert (kept.type, kept.amount, kept.fee, kept.net) == ("charge", 36900, 579, 36321)
    assert [each.id for each in client.v1.balance_transactions.list().data] == [kept.id]
    assert tell(bank) == 3
    secret = bank.webhook_secret.read_text().strip()
    events = [stripe.Webhook.construct_event(body, signature, secret) for body, signature in inbox.taken]
    assert [event.type for event in events] == ["charge.succeeded", "payment_intent.succeeded", "checkout.session.completed"]
    assert events[2].data.object["id"] == session.id
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(inbox.taken[0][0] + b" ", inbox.taken[0][1], secret)


def test_a_refused_card_leaves_the_session_open_and_leaving_pays_nothing(bank: Bank, client: stripe.StripeClient) -> None:
    session = client.v1.checkout.sessions.create(wish(locale="en"))
    assert tap(str(session.url), "refuse") == (303, f"/c/pay/{session.id}")
    assert "Your bank refused" in seen(str(session.url))
    assert tap(str(session.url), "leave") == (303, f"{SHOP}?left=1")
    refused: Any = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (refused.status, refused.payment_intent.amount_received) == ("open", 0)
    assert refused.payment_intent.last_payment_error.code == "card_declined"
    assert tap(str(session.url), "pay")[1] == SHOP


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"expires_at": 1}, "expires_at", None),
        ({"success_url": ""}, "success_url", "parameter_missing"),
        ({"line_items": []}, "line_items", "parameter_missing"),
        ({"surprise": "1"}, "surprise", "parameter_unknown"),
        ({"expires_at": "soon"}, "expires_at", "parameter_invalid_integer"),
    ],
)
def test_what_cannot_be_is_refused_as_the_real_one_does(
    client: stripe.StripeClient, changes: dict[str, Any], param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.checkout.sessions.create(wish(**changes))
    assert (refused.value.http_status, refused.value.param, refused.value.code) == (400, param, code)


def test_one_idempotency_key_makes_one_session_and_no_other_request(client: stripe.StripeClient) -> None:
    asked = wish()
    first, second = (client.v1.checkout.sessions.create(asked, {"idempotency_key": "k"}) for _ in range(2))
    assert first.id == second.id
    assert len(client.v1.checkout.sessions.list().data) == 1
    with pytest.raises(stripe.IdempotencyError):
        client.v1.checkout.sessions.create(wish(success_url="http://elsewhere.test/"), {"idempotency_key": "k"})


def test_a_key_still_in_use_is_a_conflict(bank: Bank, client: stripe.StripeClient) -> None:
    bank._under_way.add("k")
    with pytest.raises(stripe.APIError) as problem:
        client.v1.checkout.sessions.create(wish(), {"idempotency_key": "k"})
    assert (problem.value.http_status, problem.value.json_body["error"]["code"]) == (409, "idempotency_key_in_use")  # type: ignore[index]


def test_a_session_ends_in_time_or_by_hand_and_then_nobody_pays_it(bank: Bank, client: stripe.StripeClient) -> None:
    ended, overdue = (client.v1.checkout.sessions.create(wish()) for _ in range(2))
    assert client.v1.checkout.sessions.expire(ended.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.expire(ended.id)
    with time_machine.travel(clock.now() + timedelta(minutes=32), tick=False):
        assert tap(str(overdue.url), "pay") == (303, f"/c/pay/{overdue.id}")
        assert "a expiré" in seen(str(overdue.url))
    assert client.v1.checkout.sessions.retrieve(overdue.id).status == "expired"


def test_refunds_are_partial_add_up_and_may_fail_later(bank: Bank, client: stripe.StripeClient, inbox: Inbox) -> None:
    intent = paid_intent(client)
    back = client.v1.refunds.create({"payment_intent": intent, "amount": 10000, "metadata": {"refund_id": "r1"}})
    assert (back.status, back.amount) == ("succeeded", 10000)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent, "amount": 26901})
    client.v1.refunds.create({"payment_intent": intent})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent})
    assert refused.value.code == "charge_already_refunded"

    bank.act("fail", back.id)
    assert [refund.status for refund in client.v1.refunds.list({"payment_intent": intent}).data] == ["succeeded", "failed"]
    assert client.v1.refunds.create({"payment_intent": intent}).amount == 10000
    tell(bank)
    assert inbox.kinds.count("refund.created") == 3
    assert "refund.failed" in inbox.kinds


def test_a_dispute_stops_refunds_until_it_is_decided(bank: Bank, client: stripe.StripeClient, inbox: Inbox) -> None:
    intent = paid_intent(client)
    bank.act("dispute", intent)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent})
    assert refused.value.code == "charge_disputed"
    (disputed,) = client.v1.disputes.list({"payment_intent": intent}).data
    bank.act("lost", disputed.id)
    assert client.v1.disputes.retrieve(disputed.id).status == "lost"
    tell(bank)
    assert [kind for kind in inbox.kinds if "dispute" in kind] == ["charge.dispute.created", "charge.dispute.closed"]


@pytest.mark.parametrize(
    ("mood", "problem", "status"),
    [
        ("busy", stripe.RateLimitError, 429),
        ("broken", stripe.APIError, 500),
        ("down", stripe.APIConnectionError, None),
    ],
)
def test_a_bank_in_trouble_answers_as_the_real_one_in_trouble(
    bank: Bank, client: stripe.StripeClient, mood: str, problem: type[stripe.StripeError], status: int | None
) -> None:
    bank.mood = mood
    with pytest.raises(problem) as raised:
        client.v1.checkout.sessions.create(wish(), {"idempotency_key": "k"})
    assert raised.value.http_status == status
    bank.mood = "fine"
    assert client.v1.checkout.sessions.create(wish(), {"idempotency_key": "k"}).status == "open"


def test_a_wrong_key_opens_nothing(bank: Bank) -> None:
    with pytest.raises(stripe.AuthenticationError) as refused:
        client_of(bank, "sk_test_wrong").v1.checkout.sessions.create(wish())
    assert refused.value.http_status == 401


@pytest.mark.parametrize(
    ("manner", "kinds"),
    [
        ("twice", ["charge.succeeded"] * 2 + ["payment_intent.succeeded"] * 2 + ["checkout.session.completed"] * 2),
        ("reversed", ["checkout.session.completed", "payment_intent.succeeded", "charge.succeeded"]),
        ("never", []),
    ],
)
def test_webhooks_come_twice_out_of_order_or_never(
    bank: Bank, client: stripe.StripeClient, inbox: Inbox, manner: str, kinds: list[str]
) -> None:
    bank.webhooks.manner = manner
    paid_intent(client)
    tell(bank)
    assert inbox.kinds == kinds


def test_webhooks_come_before_the_customer_is_back_or_long_after(bank: Bank, client: stripe.StripeClient, inbox: Inbox) -> None:
    bank.webhooks.manner = "first"
    paid_intent(client)
    assert len(inbox.taken) == 3
    bank.webhooks.manner = "late"
    paid_intent(client)
    assert tell(bank) == 0
    assert tell(bank, clock.now() + timedelta(seconds=21)) == 3


def test_a_webhook_that_is_not_taken_comes_again(bank: Bank, client: stripe.StripeClient, inbox: Inbox) -> None:
    paid_intent(client)
    inbox.status = 503
    assert tell(bank) == 0
    inbox.status = 204
    assert tell(bank, clock.now() + timedelta(minutes=1)) == 3
    assert tell(bank, clock.now() + timedelta(minutes=1)) == 0


def test_a_bank_begun_again_knows_its_payments_and_keys(tmp_path: Path, inbox: Inbox) -> None:
    first = opened_bank(tmp_path / "bank", inbox)
    key = first.secret_key.read_text().strip()
    session = first.ask("POST", "checkout/sessions", wish(), authorization=f"Bearer {key}", key="k").body
    first.stop()
    second = opened_bank(tmp_path / "bank", inbox)
    again = second.ask("GET", f"checkout/sessions/{session['id']}", {}, authorization=f"Bearer {key}", key="")
    second.stop()
    assert (again.status, again.body["id"]) == (200, session["id"])


def test_the_bank_s_own_page_shows_what_moved_and_steers_it(bank: Bank, client: stripe.StripeClient) -> None:
    intent = paid_intent(client)
    assert tap(bank.address, f"dispute:{intent}") == (303, "/")
    assert "contestée" in seen(bank.address)
    assert tap(bank.address, "nonsense:1", origin="http://evil.test")[0] == 403


def paid_intent(client: stripe.StripeClient) -> str:
    session = client.v1.checkout.sessions.create(wish())
    tap(str(session.url), "pay")
    return str(client.v1.checkout.sessions.retrieve(session.id).payment_intent)
