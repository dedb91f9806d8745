"""The peers most tills have: JSON pages by `requests`, `?updated_since=`, and an endpoint that takes one event a request.

`python -m bench.naive serve FILE PORT` serves them; `python -m bench.naive pull URL FILE SINCE` brings a till's file up to date
and prints what it took as JSON.
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
import time
from pathlib import Path

import requests
from cheroot.wsgi import Server
from flask import Flask, Response, request

from bench.rows import COLUMNS, open_rows
from pos.db import connect, write

PAGE_ROWS = 1000
GZIP_LEVEL = 6


def make_app(path: Path) -> Flask:
    """Make the app that serves the rows of `path` and keeps events beside them."""
    app = Flask("naive")
    events = connect(path.with_name("events.db"), durable=True)
    events.execute("create table if not exists event (seq integer primary key, body text)")
    lock, local = threading.Lock(), threading.local()

    @app.get("/readyz")
    def ready() -> str:
        return "ready"

    @app.get("/listings")
    def listings() -> Response:
        if not hasattr(local, "database"):
            local.database = connect(path, durable=False)
        since, at, after = (request.args.get(name, 0, type=int) for name in ("updated_since", "at", "after"))
        rows = local.database.query(
            f"select {', '.join(COLUMNS)}, updated_at from listing where updated_at >= ? and (updated_at, listing_id) > (?, ?) "
            f"order by updated_at, listing_id limit {PAGE_ROWS}",
            [since, at, after],
        )
        body = gzip.compress(json.dumps(list(rows), separators=(",", ":")).encode(), GZIP_LEVEL)
        return Response(body, content_type="application/json", headers={"Content-Encoding": "gzip"})

    @app.post("/events")
    def event() -> tuple[str, int]:
        with lock, write(events):
            events.execute("insert into event (body) values (?)", [request.get_data(as_text=True)])
        return "", 204

    return app


def pull(url: str, path: Path, since: int) -> dict[str, float]:
    """Fetch every row changed since then, page by page, and store it; return seconds, bytes on the wire, requests and rows."""
    session = requests.Session()
    database = open_rows(path)
    marks = ", ".join("?" * (len(COLUMNS) + 1))
    received = asked = rows = 0
    at = after = 0
    start = time.perf_counter()
    while True:
        parameters = {"updated_since": since, "at": at, "after": after}
        response = session.get(f"{url}/listings", params=parameters, timeout=60)
        page = response.json()
        asked += 1
        received += int(response.headers["Content-Length"])
        if not page:
            break
        with write(database):
            database.conn.executemany(f"insert or replace into listing values ({marks})", [tuple(row.values()) for row in page])
        rows += len(page)
        at, after = page[-1]["updated_at"], page[-1]["listing_id"]
    seconds = time.perf_counter() - start
    database.close()
    return {"seconds": seconds, "bytes": received, "requests": asked, "rows": rows}


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        Server(("127.0.0.1", int(sys.argv[3])), make_app(Path(sys.argv[2])), numthreads=8).start()
    else:
        print(json.dumps(pull(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
