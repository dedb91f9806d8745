"""The demo's bank: a stand-in for Stripe on this machine, with the API, the page where customers pay, and a page of its own.

The `stripe` library talks to it as to the real one. `/v1/…` is the API, `/c/pay/<session>` the payment page, `/` shows what moved
and lets it misbehave: refuse, be slow or down, tell late, twice, out of order or never, fail a refund, dispute a payment.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, FileSystemLoader

import templates
from demo import bank_books, bank_disputes
from demo.bank_books import BankProblem, Books, Thing
from demo.bank_fees import BankFees
from demo.bank_webhooks import MANNERS, Webhooks
from demo.carrier import API as CARRIER_API
from demo.carrier import MANNERS as CARRIER_MANNERS
from demo.carrier import PATH as CARRIER
from demo.carrier import CarrierDesk, serve
from pos.privacy import take_over

_PAGES = Path(__file__).parent / "pages"
_FONTS = ("bricolage-grotesque-latin-720-normal.woff2", "figtree-latin-wght-normal.woff2")
_POLICY = "default-src 'none'; style-src 'self'; font-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
MOOD_NAMES = ("fine", "slow", "busy", "broken", "down", "owing", "unsettled")
SLOW_S = 8.0
MOST_BODY = 2**16
CARD_FEES = BankFees()
SHOWN = 30
ACCEPTED = {
    "checkout/sessions": {
        *("mode", "line_items", "success_url", "cancel_url", "expires_at", "metadata", "payment_intent_data"),
        *("customer_email", "locale", "client_reference_id", "expand", "payment_method_types"),
    },
    "refunds": {"payment_intent", "amount", "reason", "metadata", "expand"},
}


@dataclass(frozen=True, slots=True)
class BankAnswer:
    """What the API says."""

    status: int
    body: Thing
    is_replayed: bool = False


class Bank(ThreadingHTTPServer):
    """A bank on `host:port` with its books and keys in `directory`, which tells `webhook_url` of what happens.

    `address` is where customers' browsers reach it. `secret_key` and `webhook_secret` are the files HQ is given.
    """

    daemon_threads = True

    def __init__(
        self, directory: Path, *, host: str, port: int, address: str, webhook_url: str, fees: BankFees = CARD_FEES
    ) -> None:
        take_over(directory)
        self.secret_key = _kept_secret(directory / "secret-key", "sk_test_")
        self.webhook_secret = _kept_secret(directory / "webhook-secret", "whsec_")
        super().__init__((host, port), _Request)
        self.webhooks = Webhooks(webhook_url, self.webhook_secret.read_text(encoding="utf-8").strip())
        self.books = Books(directory / "bank.db", self.webhooks.plan, fees)
        self.address = address
        self.carrier = CarrierDesk(directory, events_url=webhook_url.replace("/payments/events", "/activations/events"))
        self.mood = "fine"
        """How the API answers now: one of `MOOD_NAMES`; owing, it pays refunds later, unsettled, it names its fees later."""
        self._key = self.secret_key.read_text(encoding="utf-8").strip()
        self._running: list[threading.Thread] = []
        self._under_way: set[str] = set()
        self._under_way_lock = threading.Lock()

    def start(self) -> None:
        """Answer, and tell of events, in threads of their own."""
        for run in (self.serve_forever, lambda: self.webhooks.keep_telling(self.books), self.carrier.keep_judging):
            thread = threading.Thread(target=run, name="bank", daemon=True)
            thread.start()
            self._running.append(thread)

    def stop(self) -> None:
        """Close the port and the books."""
        self.webhooks.end()
        self.carrier.end()
        if self._running:
            self.shutdown()
        for thread in self._running:
            thread.join()
        self.server_close()
        self.books.close()

    def ask(self, method: str, path: str, params: Mapping[str, Any], *, authorization: str, key: str) -> BankAnswer:
        """Answer a request to the API below `/v1/`; `key` is its Idempotency-Key, "" where it has none."""
        try:
            self._admit(authorization)
            if method == "POST" and key:
                return self._answer_once(path, params, key)
            return BankAnswer(200, self._do(method, path, params))
        except BankProblem as problem:
            return BankAnswer(problem.status, problem.body)

    def _admit(self, authorization: str) -> None:
        if authorization != f"Bearer {self._key}":
            raise BankProblem(401, "invalid_request_error", f"Invalid API Key provided: {authorization[7:15]}********")
        if self.mood == "slow":
            time.sleep(SLOW_S)
        elif self.mood == "busy":
            raise BankProblem(429, "invalid_request_error", "Too many requests hit the API too quickly.", code="rate_limit")
        elif self.mood == "broken":
            raise BankProblem(500, "api_error", "An unknown error occurred")

    def _answer_once(self, path: str, params: Mapping[str, Any], key: str) -> BankAnswer:
        """Answer a request with an idempotency key: the first answer again for the same request, an error for another.

        What the parameters alone forbid is not kept (docs.stripe.com/api/idempotent_requests).
        """
        asked = hashlib.sha256(f"{path} {json.dumps(params, sort_keys=True)}".encode()).hexdigest()
        with self._under_way_lock:
            if key in self._under_way:
                message = "There is currently another in-progress request using this Idempotency-Key."
                raise BankProblem(409, "idempotency_error", message, code="idempotency_key_in_use")
            self._under_way.add(key)
        try:
            for request, status, body in self.books.run("select request, status, body from answered where key = ?", key):
                if request != asked:
                    message = "Keys for idempotent requests can only be used with the same parameters they were first used with."
                    raise BankProblem(400, "idempotency_error", message)
                return BankAnswer(status, json.loads(body), is_replayed=True)
            with self.books.change():
                answer = BankAnswer(200, self._do("POST", path, params))
                self.books.run("insert into answered values (?, ?, ?, ?)", key, asked, answer.status, json.dumps(answer.body))
            return answer
        finally:
            with self._under_way_lock:
                self._under_way.discard(key)

    def _do(self, method: str, path: str, params: Mapping[str, Any]) -> Thing:
        collection, _, rest = path.removeprefix("checkout/").partition("/")
        thing_id, _, act = rest.partition("/")
        kinds = {"sessions": "checkout.session", "payment_intents": "payment_intent", "refunds": "refund"}
        kinds |= {"disputes": "dispute", "events": "event", "charges": "charge", "balance_transactions": "balance_transaction"}
        kind = kinds.get(collection)
        if kind is None or (method == "POST" and kind not in ("checkout.session", "refund")):
            raise BankProblem(404, "invalid_request_error", f"Unrecognized request URL ({method}: /v1/{path}).")
        self.end_overdue()
        if method == "POST":
            thing = self._post(path, act, thing_id, params)
        elif thing_id:
            thing = self.books.get(kind, thing_id)
        else:
            thing = self._listed(kind, params)
        return bank_books.shown(self.books.expanded(thing, params.get("expand", [])))

    def _post(self, path: str, act: str, thing_id: str, params: Mapping[str, Any]) -> Thing:
        if unknown := set(params) - ACCEPTED.get(path, {"expand"}):
            name = sorted(unknown)[0]
            raise bank_books.invalid(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
        with self.books.change() as events:
            if path == "checkout/sessions":
                return bank_books.open_session(self.books, params, address=self.address)
            if path == "refunds":
                return bank_books.refund(self.books, events, params, is_pending=self.mood == "owing")
            if act == "expire":
                return bank_books.expire(self.books, events, thing_id)
        raise BankProblem(404, "invalid_request_error", f"Unrecognized request URL (POST: /v1/{path}).")

    def _listed(self, kind: str, params: Mapping[str, Any]) -> Thing:
        most = bank_books.whole(params.get("limit", 10), "limit")
        found = self.books.listed(kind, payment=params.get("payment_intent"), most=min(100, most) + 1)
        data = [bank_books.shown(thing) for thing in found[:most]]
        return {"object": "list", "data": data, "has_more": len(found) > most, "url": f"/v1/{kind}s"}

    def end_overdue(self) -> None:
        """Expire the sessions whose time is over."""
        for session in self.books.listed("checkout.session", most=1000):
            if session["status"] == "open" and bank_books.has_run_out(session):
                with self.books.change() as events:
                    bank_books.expire(self.books, events, session["id"])

    def act(self, act: str, thing_id: str) -> None:
        """Do what somebody tapped on a page of the bank."""
        acts: dict[str, Callable[[Books, list[Thing], str], object]] = {
            "pay": lambda books, events, found: bank_books.pay(books, events, found, is_settled=self.mood != "unsettled"),
            "settle": bank_books.settle,
            "refuse": bank_books.refuse,
            "fail": bank_books.fail_refund,
            "arrive": bank_books.pay_refund,
            "dispute": bank_disputes.dispute,
            "won": lambda books, events, found: bank_disputes.close_dispute(books, events, found, is_won=True),
            "lost": lambda books, events, found: bank_disputes.close_dispute(books, events, found, is_won=False),
        }
        if act == "again":
            self.webhooks.tell_again(self.books, thing_id)
        elif act in acts:
            with self.books.change() as events:
                acts[act](self.books, events, thing_id)
        if self.webhooks.manner == "first":
            self.webhooks.tell_due(self.books)


class _Request(BaseHTTPRequestHandler):
    server: Bank
    server_version = "demo-bank"
    timeout = 60

    def do_GET(self) -> None:
        """Answer the API's reads, the pages and their files."""
        url = urlsplit(self.path)
        if url.path.startswith("/v1/"):
            self._api("GET", url.path, url.query)
        elif url.path.startswith(f"{CARRIER_API}/"):
            serve(self.server.carrier, "GET", self.path, "", self.headers.get("Authorization", ""), self._send_as)
        elif url.path == f"{CARRIER}/":
            desk = self.server.carrier
            self._page("carrier.html", orders=desk.orders(), manner=desk.manner, manners=CARRIER_MANNERS)
        elif url.path == "/":
            self._page("bank.html", page=_overview(self.server))
        elif url.path.startswith("/c/pay/"):
            self._payment_page(url.path.rpartition("/")[2])
        elif url.path == "/bank.css":
            self._send((_PAGES / "bank.css").read_bytes(), "text/css")
        elif url.path.removeprefix("/fonts/") in _FONTS:
            self._send((templates.PATH / "static" / url.path.removeprefix("/")).read_bytes(), "font/woff2")
        else:
            self._send(b"Rien ici.", "text/plain; charset=utf-8", status=HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Answer the API's writes and what people tap on the pages."""
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MOST_BODY)).decode(errors="replace")
        if self.path.startswith("/v1/"):
            self._api("POST", self.path, body)
            return
        if self.path.startswith(f"{CARRIER_API}/"):
            serve(self.server.carrier, "POST", self.path, body, self.headers.get("Authorization", ""), self._send_as)
            return
        form = dict(parse_qsl(body))
        if urlsplit(self.headers.get("Origin", "")).netloc not in ("", self.headers.get("Host")):
            self._send(b"", "text/plain", status=HTTPStatus.FORBIDDEN)
        elif self.path.startswith("/c/pay/"):
            self._pay(self.path.rpartition("/")[2], form.get("act", ""))
        elif self.path == f"{CARRIER}/":
            self._steer_carrier(form)
        else:
            self._steer(form)

    def _api(self, method: str, path: str, query: str) -> None:
        if self.server.mood == "down":
            self.close_connection = True
            return
        answer = self.server.ask(
            method,
            path.removeprefix("/v1/"),
            nested(parse_qsl(query, keep_blank_values=True)),
            authorization=self.headers.get("Authorization", ""),
            key=self.headers.get("Idempotency-Key", ""),
        )
        replayed = {"Idempotent-Replayed": "true"} if answer.is_replayed else {}
        headers = {"Request-Id": f"req_{secrets.token_hex(7)}", **replayed}
        self._send(json.dumps(answer.body).encode(), "application/json", status=answer.status, headers=headers)

    def _pay(self, session_id: str, act: str) -> None:
        if act in ("pay", "refuse"):
            try:
                self.server.act(act, session_id)
            except BankProblem:
                self._see_other("/")
                return
        session = self.server.books.get("checkout.session", session_id)
        if act == "leave":
            self._see_other(session["cancel_url"] or session["success_url"])
        elif session["status"] == "complete":
            self._see_other(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id))
        else:
            self._see_other(f"/c/pay/{session_id}")

    def _payment_page(self, session_id: str) -> None:
        self.server.end_overdue()
        try:
            session = self.server.books.get("checkout.session", session_id)
        except BankProblem:
            self._send(b"Rien ici.", "text/plain; charset=utf-8", status=HTTPStatus.NOT_FOUND)
            return
        self._page("bank_payment.html", session=session, lang="en" if session["locale"] == "en" else "fr")

    def _steer(self, form: Mapping[str, str]) -> None:
        """Change how the bank behaves, or do something to a payment."""
        if form.get("mood") in MOOD_NAMES:
            self.server.mood = form["mood"]
        if form.get("manner") in MANNERS:
            self.server.webhooks.manner = form["manner"]
        act, _, thing_id = form.get("act", "").partition(":")
        if act:
            try:
                self.server.act(act, thing_id)
            except BankProblem as problem:
                self._send(str(problem).encode(), "text/plain; charset=utf-8", status=HTTPStatus.CONFLICT)
                return
        self._see_other("/")

    def _steer_carrier(self, form: Mapping[str, str]) -> None:
        """Change how the carrier behaves, or judge an order by hand."""
        desk = self.server.carrier
        if form.get("manner") in CARRIER_MANNERS:
            desk.manner = form["manner"]
        order_id, _, state = form.get("move", "").partition(":")
        if any(order["id"] == order_id for order in desk.orders()):
            desk.move(order_id, state)
        self._see_other(f"{CARRIER}/")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the demo's terminal belongs to its own lines."""

    def _page(self, name: str, **values: object) -> None:
        environment = Environment(loader=FileSystemLoader(_PAGES), autoescape=True)
        environment.filters["money"] = _money
        self._send(environment.get_template(name).render(**values).encode(), "text/html; charset=utf-8")

    def _see_other(self, location: str) -> None:
        self._send(b"", "text/plain", status=HTTPStatus.SEE_OTHER, headers={"Location": location})

    def _send_as(self, body: bytes, kind: str, status: int) -> None:
        self._send(body, kind, status=status)

    def _send(self, body: bytes, kind: str, *, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.end_headers()
        self.wfile.write(body)


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Return a form as Stripe reads it: `a[b]` is a key of an object, `a[0]` and `a[]` places of a list."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        *way, last = name.replace("]", "").split("[")
        here = tree
        for part in way:
            here = here.setdefault(part, {})
        here[last or str(len(here))] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(part) for name, part in value.items()}
    return [inner[name] for name in sorted(inner, key=int)] if inner and all(name.isdigit() for name in inner) else inner


def _overview(bank: Bank) -> dict[str, Any]:
    """Return what the bank's own page shows: the newest payments, refunds, disputes and events, and how the bank behaves."""
    bank.end_overdue()
    kinds = {"sessions": "checkout.session", "refunds": "refund", "disputes": "dispute", "events": "event"}
    things = {name: bank.books.listed(kind, most=SHOWN) for name, kind in kinds.items()}
    charges = {charge["payment_intent"]: charge for charge in bank.books.listed("charge", most=SHOWN)}
    behaviour = {"mood": bank.mood, "moods": MOOD_NAMES, "manner": bank.webhooks.manner, "manners": MANNERS}
    return {**things, "charges": charges, **behaviour}


def _money(cents: int, currency: str) -> str:
    """Return an amount as the page writes it."""
    sign = {"eur": "€", "usd": "$"}.get(currency, currency.upper())
    return f"{cents // 100:,}".replace(",", "\u202f") + f",{cents % 100:02d}\u00a0{sign}"


def _kept_secret(path: Path, prefix: str) -> Path:
    """Make a secret where none is, readable by its owner alone."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(f"{prefix}{secrets.token_hex(24)}\n", encoding="utf-8")
    return path
