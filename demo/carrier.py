"""The demo's carrier, served below `/carrier` of the demo's bank: TMF622's product orders, and what real carriers do to them.

Source: TM Forum TMF622 4.0. `/carrier/` shows the orders and lets it misbehave: take its time, refuse, answer 500 to what it
took, tell twice or never. Its orders outlive a restart.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

PATH = "/carrier"
API = f"{PATH}/productOrderingManagement/v4"
MANNERS = ("fine", "slow", "refuses", "broken", "twice", "silent")
"""Slow: judges after `SLOW_S`. Broken: takes the order and answers 500. Twice: tells everything twice. Silent: never tells."""
SLOW_S, ACTIVE_AFTER_S = 60.0, 10.0
TICK_S, TIMEOUT_S = 0.5, 5
FINAL = ("completed", "rejected", "cancelled")
REFUSAL = "the line is not eligible"

ProductOrder = dict[str, Any]


class CarrierDesk:
    """A carrier's orders in `directory`; each change is told to `events_url`, with the key both sides know."""

    def __init__(self, directory: Path, *, events_url: str) -> None:
        self.key_file = directory / "carrier-key"
        if not self.key_file.exists():
            self.key_file.touch(mode=0o600)
            self.key_file.write_text(f"{secrets.token_hex(24)}\n", encoding="utf-8")
        self.manner = "fine"
        self._key = self.key_file.read_text(encoding="utf-8").strip()
        self._events_url = events_url
        self._file = directory / "carrier.json"
        self._orders: dict[str, ProductOrder] = json.loads(self._file.read_text()) if self._file.exists() else {}
        self._lock = threading.Lock()
        self._is_ended = threading.Event()

    def orders(self) -> list[ProductOrder]:
        """Return every order, the newest first."""
        with self._lock:
            return list(self._orders.values())[::-1]

    def ask(self, method: str, path: str, body: Mapping[str, Any], *, authorization: str) -> tuple[int, Any]:
        """Answer a request to the API; `path` begins with `/carrier`."""
        if authorization != f"Bearer {self._key}":
            return 401, {"code": "60", "reason": "invalid credentials", "status": "401"}
        url = urlsplit(path)
        collection, _, order_id = url.path.removeprefix(f"{API}/").partition("/")
        if collection == "productOrder" and method == "GET":
            return self._look(order_id, parse_qs(url.query).get("externalId", [""])[0])
        if collection == "productOrder" and method == "POST":
            return self._take(body)
        if collection == "cancelProductOrder" and method == "POST":
            return self._cancel(str(body.get("productOrder", {}).get("id", "")))
        return 404, {"code": "60", "reason": "no such resource", "status": "404"}

    def move(self, order_id: str, state: str) -> None:
        """Judge an order by hand."""
        if state in ("acknowledged", *FINAL):
            self._move({order_id: state})

    def keep_judging(self) -> None:
        """Judge orders as time goes by, until `end`."""
        while not self._is_ended.wait(TICK_S):
            self.judge(now_s=time.time())

    def judge(self, *, now_s: float) -> None:
        """Acknowledge or refuse what waits long enough, and complete what was acknowledged."""
        with self._lock:
            ages = {order_id: (order["state"], now_s - order["changed_s"]) for order_id, order in self._orders.items()}
        wait_s = SLOW_S if self.manner == "slow" else 0
        verdict = "rejected" if self.manner == "refuses" else "acknowledged"
        moves = {order_id: verdict for order_id, (state, age) in ages.items() if state == "pending" and age >= wait_s}
        done = {
            order_id: "completed" for order_id, (state, age) in ages.items() if state == "acknowledged" and age >= ACTIVE_AFTER_S
        }
        self._move(moves | done)

    def end(self) -> None:
        """Let `keep_judging` return."""
        self._is_ended.set()

    def _look(self, order_id: str, external_id: str) -> tuple[int, Any]:
        with self._lock:
            if order_id:
                order = self._orders.get(order_id)
                return (200, _shown(order)) if order else (404, {"code": "60", "reason": "no such order", "status": "404"})
            return 200, [_shown(order) for order in self._orders.values() if order.get("externalId") == external_id]

    def _take(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        items = body.get("productOrderItem")
        if not isinstance(items, list) or not items or not body.get("externalId"):
            return 400, {"code": "21", "reason": "productOrderItem and externalId are mandatory", "status": "400"}
        order_id = secrets.token_hex(8)
        order = {**body, "id": order_id, "href": f"{API}/productOrder/{order_id}", "state": "pending", "changed_s": time.time()}
        with self._lock:
            self._orders[order_id] = order
            self._store()
        if self.manner == "broken":
            return 500, {"code": "1", "reason": "internal error", "status": "500"}
        return 201, _shown(order)

    def _cancel(self, order_id: str) -> tuple[int, Any]:
        if not any(order["id"] == order_id for order in self.orders()):
            return 404, {"code": "60", "reason": "no such order", "status": "404"}
        self._move({order_id: "cancelled"})
        return 201, {"id": secrets.token_hex(8), "productOrder": {"id": order_id}, "state": "done"}

    def _move(self, states: Mapping[str, str]) -> None:
        if not states:
            return
        with self._lock:
            for order_id, state in states.items():
                notes = [{"text": REFUSAL}] if state == "rejected" else []
                self._orders[order_id] |= {"state": state, "changed_s": time.time(), "note": notes}
            self._store()
            moved = [_shown(self._orders[order_id]) for order_id in states]
        for order in moved:
            self._tell(order)

    def _tell(self, order: ProductOrder) -> None:
        event = {
            "eventId": secrets.token_hex(8),
            "eventType": "ProductOrderStateChangeEvent",
            "event": {"productOrder": {name: order[name] for name in ("id", "externalId", "state")}},
        }
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        for _ in range({"twice": 2, "silent": 0}.get(self.manner, 1)):
            try:
                urlopen(Request(self._events_url, data=json.dumps(event).encode(), headers=headers), timeout=TIMEOUT_S).close()  # noqa: S310 - ours
            except (URLError, OSError):
                continue

    def _store(self) -> None:
        self._file.write_text(json.dumps(self._orders), encoding="utf-8")


def serve(
    desk: CarrierDesk, method: str, path: str, content: str, authorization: str, send: Callable[[bytes, str, int], None]
) -> None:
    """Answer an API request by `send(body, content type, status)`."""
    try:
        body = json.loads(content or "{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        status, answer = 400, {"code": "21", "reason": "not a JSON object", "status": "400"}
    else:
        status, answer = desk.ask(method, path, body, authorization=authorization)
    send(json.dumps(answer).encode(), "application/json", status)


def _shown(order: ProductOrder) -> ProductOrder:
    return {name: value for name, value in order.items() if name != "changed_s"}
