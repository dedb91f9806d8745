"""Files in front of an app: whole, in part, or not again; and nothing else on the disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

from sync.hq.repository import announce, create
from sync.static_files import StaticFiles
from tests.sync.conftest import NOW

BLOB = bytes(range(256)) * 2_000
SHA256 = hashlib.sha256(BLOB).hexdigest()
FOREVER = "public, max-age=31536000, immutable, no-transform"


class Web:
    def __init__(self, directory: Path) -> None:
        self.static = directory / "sync"
        create(self.static, directory / "keys", now=NOW)
        announce(self.static, directory / "keys", {"fr/stable.head": b"{}"}, now=NOW)
        (self.static / "b").mkdir()
        (self.static / "b" / SHA256).write_bytes(BLOB)
        (directory / "secret.json").write_text("secret")
        self.client = Client(StaticFiles(Response("the app", 418), self.static))

    def get(self, path: str, method: str = "GET", **headers: str) -> TestResponse:
        return self.client.open(
            f"/sync/v1/{path}", method=method, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(tmp_path)


def test_every_file_is_served_as_it_is_for_its_time(web: Web) -> None:
    names = [path.relative_to(web.static).as_posix() for path in web.static.rglob("*") if path.is_file()]
    assert len(names) == 9
    for name in names:
        answer = web.get(name)
        assert answer.data == (web.static / name).read_bytes()
        changing = name == "metadata/timestamp.json"
        assert answer.headers["Cache-Control"] == (
            "public, max-age=0, s-maxage=10, stale-while-revalidate=30" if changing else FOREVER
        )
        assert answer.headers["Content-Type"] == ("application/json" if name.endswith(".json") else "application/octet-stream")
        assert "Content-Encoding" not in answer.headers
        assert not answer.headers["ETag"].startswith("W/")
        assert web.get(name, If_None_Match=answer.headers["ETag"]).status_code == 304
        head = web.get(name, "HEAD")
        assert (head.data, dict(head.headers)) == (b"", dict(answer.headers))


def test_an_etag_is_the_bytes_own(web: Web) -> None:
    first = web.get("metadata/timestamp.json").headers["ETag"]
    announce(web.static, web.static.with_name("keys"), {"fr/stable.head": b"[]"}, now=NOW)
    answer = web.get("metadata/timestamp.json", If_None_Match=first)
    assert answer.status_code == 200
    tags = {web.get(path.relative_to(web.static).as_posix()).headers["ETag"] for path in web.static.rglob("*") if path.is_file()}
    assert len(tags) == len([path for path in web.static.rglob("*") if path.is_file()])


@pytest.mark.parametrize("held", ['"x", {tag}', "W/{tag}", "*"])
def test_a_tag_known_in_any_spelling_is_not_sent_again(web: Web, held: str) -> None:
    tag = web.get(f"b/{SHA256}").headers["ETag"]
    answer = web.get(f"b/{SHA256}", If_None_Match=held.format(tag=tag))
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=500000-", slice(500_000, None)),
        ("bytes=511990-999999999", slice(511_990, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=100-400000", slice(100, 400_001)),
        ("bytes=-999999999", slice(0, None)),
    ],
)
def test_a_part_is_sent_alone(web: Web, wanted: str, part: slice) -> None:
    answer = web.get(f"b/{SHA256}", Range=wanted)
    assert (answer.status_code, answer.data) == (206, BLOB[part])
    first, last, _ = part.indices(len(BLOB))
    assert answer.headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(BLOB)}"
    assert int(answer.headers["Content-Length"]) == len(answer.data)


@pytest.mark.parametrize(
    "wanted", ["bytes=0-1,5-6", "bytes=5-2", "lines=1-2", "bytes=-", "bytes=a-b", "bytes=" + "9" * 5_000 + "-"]
)
def test_a_range_nobody_can_read_gets_the_whole(web: Web, wanted: str) -> None:
    answer = web.get(f"b/{SHA256}", Range=wanted)
    assert (answer.status_code, len(answer.data)) == (200, len(BLOB))


@pytest.mark.parametrize("wanted", [f"bytes={len(BLOB)}-", "bytes=-0"])
def test_a_range_past_the_end_is_said(web: Web, wanted: str) -> None:
    answer = web.get(f"b/{SHA256}", Range=wanted)
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{len(BLOB)}")


def test_a_range_of_another_file_gets_the_whole(web: Web) -> None:
    tag = web.get(f"b/{SHA256}").headers["ETag"]
    assert web.get(f"b/{SHA256}", Range="bytes=5-", If_Range=tag).status_code == 206
    assert web.get(f"b/{SHA256}", Range="bytes=5-", If_Range='"other"').status_code == 200


@pytest.mark.parametrize(
    ("path", "cache"),
    [
        ("metadata/2.root.json", "public, max-age=0, s-maxage=60"),
        ("metadata/7.targets.json", "no-store"),
        ("metadata/root.json", "no-store"),
        ("metadata/02.root.json", "public, max-age=0, s-maxage=60"),
        ("b/" + "0" * 64, "no-store"),
        ("b/" + SHA256.upper(), "no-store"),
        ("b/../../secret.json", "no-store"),
        ("b/..%2F..%2Fsecret.json", "no-store"),
        ("targets/../../secret.json", "no-store"),
        ("targets/fr/../../../secret.json", "no-store"),
        ("metadata//etc/passwd", "no-store"),
        ("b/", "no-store"),
        (f"b/{SHA256}%00", "no-store"),
        (f"b/{SHA256}%0a", "no-store"),
        (f"b/{SHA256}/x", "no-store"),
    ],
)
def test_what_is_not_there_is_not_there(web: Web, path: str, cache: str) -> None:
    answer = web.get(path)
    assert (answer.status_code, answer.json) == (404, {"code": "not_found", "detail": "not_found", "status": 404})
    assert answer.headers["Cache-Control"] == cache
    assert web.get(path, "HEAD").data == b""


@pytest.mark.parametrize(("method", "path"), [("POST", f"b/{SHA256}"), ("POST", "up"), ("GET", "nothing"), ("GET", "bc/x")])
def test_everything_else_is_the_apps(web: Web, method: str, path: str) -> None:
    assert web.get(path, method).data == b"the app"
