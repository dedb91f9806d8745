"""A small HQ and a small kiosk in one directory, joined by a line that can be cut: what the protocol's tests stand on."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter
from sqlalchemy import Connection, Engine, create_engine, event

from pos.catalog import TABLES
from pos.db import Store, connect
from pos.ops import open_ops
from sync.blobs import BlobFolder, BlobRef
from sync.channels import damaged_channels
from sync.corner.client import Client
from sync.corner.mirrors import open_trust
from sync.corner.trust import pin_root
from sync.follower import Moved, Subscription, follow
from sync.heads import Head, decode_head, encode_head, head_name
from sync.hq.log import mark_dirty, sync_metadata
from sync.hq.publisher import Place, Published, publish
from sync.hq.repository import announce, announced, create
from sync.indexes import Index, decode_index

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
KEYS = {table.name: table for table in TABLES}
Row = tuple[Any, ...]


PHONES = {"fr": "Téléphones", "en": "Phones"}


def listing(listing_id: int, sku_id: int = 1, price_cents: int = 36_900) -> Row:
    return (listing_id, sku_id, 9, 1, price_cents, 499, 3, 24, 1, 90, 0, None)


def sku(sku_id: int, code: str) -> Row:
    return (sku_id, code, "phones", "Apple", "iPhone 12", 128, 2020, json.dumps({"words": "téléphone [[1],[2]]"}))


def grade(grade_id: int, rank: int, code: str, floor: int) -> Row:
    words = {"fr": code.lower(), "en": code.lower()}
    body = {"code": code, "battery_min_pct": floor, "name": words, "screen": words, "body": words, "parts": words}
    return (grade_id, rank, json.dumps(body))


class Hq:
    """Business rows as plain dictionaries, published by the real publisher."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.replica = directory / "fr" / "catalog.db"
        self.static = directory / "sync"
        self.keys = directory / "keys"
        create(self.static, self.keys, now=NOW)
        self.engine = open_engine(directory)
        self.rows: dict[str, dict[Any, Row]] = {table.name: {} for table in TABLES}
        self.now = NOW

    def put(self, table: str, *rows: Row) -> None:
        for row in rows:
            self.rows[table][row[0]] = row
        self.mark(table, [row[0] for row in rows])

    def drop(self, table: str, *keys: Any) -> None:
        for key in keys:
            self.rows[table].pop(key, None)
        self.mark(table, keys)

    def mark(self, table: str, keys: Iterable[Any] | None) -> None:
        with self.engine.begin() as connection:
            mark_dirty(connection, "fr", table, keys)

    @property
    def place(self) -> Place:
        return Place(
            engine=self.engine,
            market="fr",
            replica=self.replica,
            static=self.static,
            keys=self.keys,
            current_rows=self.current_rows,
            facts={"currency": "EUR"},
        )

    def tick(self, **time: int) -> datetime:
        self.now += timedelta(**(time or {"minutes": 1}))
        return self.now

    def publish(self, *, at_least: int = 0) -> Published | None:
        return publish(self.place, now=self.tick(), at_least=at_least)

    def current_rows(self, connection: Connection, table: str, keys: list[Any] | None) -> Iterable[Row]:
        rows = self.rows[table]
        return list(rows.values()) if keys is None else [rows[key] for key in keys if key in rows]

    def head(self, ring: str = "stable") -> Head:
        content = announced(self.static, head_name("fr", ring))
        assert content is not None
        return decode_head(content)

    def announce(self, head: Head) -> None:
        """Sign a head that no publisher of ours would make."""
        announce(self.static, self.keys, {head_name("fr", head.ring): encode_head(head)}, now=self.now)

    def index(self, channel: str) -> Index:
        return decode_index(self.blob(self.head().track.channels[channel].index))

    def blob(self, ref: BlobRef) -> bytes:
        return BlobFolder(self.static / "b").read(ref)


def open_engine(directory: Path) -> Engine:
    engine = create_engine(f"sqlite+pysqlite:///{directory}/hq.db")

    @event.listens_for(engine, "connect")
    def _explicit(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute("pragma journal_mode=wal").fetchall()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_read = connection.get_execution_options().get("comptoir_reads_only")
        connection.exec_driver_sql("begin" if is_read else "begin immediate")

    sync_metadata.create_all(engine)
    return engine


Answer = tuple[int, dict[str, str], bytes]


class Line(BaseAdapter):
    """The network between kiosk and HQ, in process. `before` may answer in HQ's place, `after` may spoil what HQ answered."""

    def __init__(self, static: Path) -> None:
        super().__init__()
        self.static = static
        self.asked: list[requests.PreparedRequest] = []
        self.posts: dict[str, Callable[[requests.PreparedRequest], Answer]] = {}
        self.before: Callable[[requests.PreparedRequest], Answer | None] = lambda request: None
        self.after: Callable[[requests.PreparedRequest, Answer], Answer] = lambda request, answer: answer

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.asked.append(request)
        answer = self.before(request) or self.after(request, self._answer(request))
        status, headers, body = answer
        response = requests.Response()
        response.status_code = status
        response.headers.update(headers)
        response.raw = io.BytesIO(body)
        response.request = request
        response.url = request.url or ""
        response.reason = BaseHTTPRequestHandler.responses.get(status, ("",))[0]  # type: ignore[call-overload]
        return response

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self, request: requests.PreparedRequest) -> Answer:
        path = request.path_url
        if request.method == "POST":
            return self.posts[path](request)
        file = self.static / path.removeprefix("/sync/v1/")
        if not file.exists():
            return 404, {}, b'{"code": "not_found"}'
        body = file.read_bytes()
        tag = f'"{hash(body)}"'
        if request.headers.get("If-None-Match") == tag:
            return 304, {"ETag": tag}, b""
        wanted = request.headers.get("Range")
        if wanted:
            return 206, {}, body[int(wanted.removeprefix("bytes=").removesuffix("-")) :]
        return 200, {"ETag": tag}, body


def json_answer(document: Any, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


class Kiosk:
    """A catalogue at the end of the line."""

    def __init__(self, directory: Path, line: Line) -> None:
        self.directory = directory
        self.line = line
        session = requests.Session()
        session.mount("http://", line)
        self.client = Client("http://hq.example", session=session)
        self.catalog = Store(directory / "catalog.db", durable=False)
        self.ops = open_ops(directory / "ops.db")
        with self.ops.write() as database:
            pin_root(database, (line.static / "metadata" / "1.root.json").read_text())
        self.trust = open_trust(directory, self.ops, self.client, now=lambda: NOW)

    def follow(self, ring: str = "stable", corner_id: str = "nantes", **options: Any) -> Moved:
        wanted = Subscription(market="fr", ring=ring, corner_id=corner_id)
        return follow(self.catalog, self.trust, wanted, now=NOW, **options)

    def rows(self) -> dict[str, dict[Any, Row]]:
        return rows_of(self.catalog.path)

    def is_sound(self) -> bool:
        database = connect(self.catalog.path, durable=False)
        try:
            return damaged_channels(database) == [] and database.execute("pragma integrity_check").fetchone() == ("ok",)
        finally:
            database.close()


def rows_of(path: Path) -> dict[str, dict[Any, Row]]:
    database = connect(path, durable=False)
    try:
        return {
            table.name: {row[0]: row for row in database.execute(f'select {", ".join(table.columns)} from "{table.name}"')}
            for table in TABLES
        }
    finally:
        database.close()


@pytest.fixture
def hq(tmp_path: Path) -> Iterable[Hq]:
    directory = tmp_path / "hq"
    directory.mkdir()
    hq = Hq(directory)
    hq.put("grade", grade(9, 4, "PREMIUM", 85))
    hq.put("category", ("phones", 1, json.dumps({"form": "phone", "name": PHONES, "levy": "phone", "co2": None, "compare": []})))
    hq.put("seller", (1, 9_000, 0, json.dumps({"name": "Atelier Loire", "legal_name": "Atelier Loire SAS", "city": "Nantes"})))
    hq.put("sku", sku(1, "IPHONE-12-128-BLUE"), sku(2, "IPHONE-12-128-RED"))
    hq.put("listing", *(listing(number) for number in range(1, 201)))
    hq.put("stock", *((number, 5) for number in range(1, 201)))
    yield hq
    hq.engine.dispose()


@pytest.fixture
def line(hq: Hq) -> Line:
    return Line(hq.static)


@pytest.fixture
def kiosk(tmp_path: Path, line: Line) -> Iterable[Kiosk]:
    directory = tmp_path / "kiosk"
    directory.mkdir()
    kiosk = Kiosk(directory, line)
    yield kiosk
    kiosk.catalog.close()
    kiosk.ops.close()
