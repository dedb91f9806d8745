"""HQ's side of trust: what is announced is whole at every moment, and no version is ever used for two contents."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import sync.hq.repository
import sync.hq.trusted_roots
from pos.errors import Conflict, Invalid, NotFound
from sync.errors import NotEnoughKeys
from sync.hq.keys import make_key, signers_in
from sync.hq.repository import announce, announced, create, renew, rotate, status, sweep, targets_of
from sync.hq.trusted_roots import newest_root
from tests.sync.conftest import NOW

DAY = timedelta(days=1)


class Repository:
    """A repository whose every version is remembered with its bytes."""

    def __init__(self, directory: Path) -> None:
        self.static = directory / "sync"
        self.keys = directory / "keys"
        self.now = NOW
        self.seen: dict[str, str] = {}

    def create(self, **options: int) -> Repository:
        create(self.static, self.keys, now=self.now, **options)
        return self

    def announce(self, **documents: str) -> bool:
        return announce(
            self.static, self.keys, {f"fr/{ring}.head": text.encode() for ring, text in documents.items()}, now=self.now
        )

    def rotate(self, **options: Any) -> int:
        return rotate(self.static, self.keys, now=self.now, **options)

    def head(self, ring: str = "stable") -> bytes | None:
        return announced(self.static, f"fr/{ring}.head")

    def versions(self) -> dict[str, int]:
        return {name: role["version"] for name, role in status(self.static, self.keys, now=self.now)["roles"].items()}

    def no_version_changed(self) -> bool:
        """Whether each versioned file has the bytes it had when first seen."""
        for path in (self.static / "metadata").glob("*.*.json"):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if self.seen.setdefault(path.name, digest) != digest:
                return False
        return True


@pytest.fixture
def hq(tmp_path: Path) -> Repository:
    return Repository(tmp_path).create()


def test_what_is_announced_is_found(hq: Repository) -> None:
    assert hq.announce(stable="one", canary="two")
    assert (hq.head("stable"), hq.head("canary"), hq.head("early")) == (b"one", b"two", None)
    assert not hq.announce(stable="one"), "nothing differs"
    assert hq.announce(stable="three")
    assert (hq.head("stable"), hq.head("canary")) == (b"three", b"two")


def test_keys_are_for_their_owner_only(hq: Repository) -> None:
    files = [path for path in hq.keys.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_repository_is_made_once(hq: Repository) -> None:
    with pytest.raises(Conflict):
        hq.create()


@pytest.mark.parametrize(("root_keys", "threshold"), [(3, 4), (1, 0)])
def test_a_threshold_that_cannot_be_is_refused(tmp_path: Path, root_keys: int, threshold: int) -> None:
    with pytest.raises(Invalid):
        Repository(tmp_path).create(root_keys=root_keys, threshold=threshold)


def test_versions_are_the_time_and_never_fall(hq: Repository) -> None:
    first = hq.versions()["timestamp"]
    assert first == int(NOW.timestamp())
    hq.now -= 400 * DAY
    hq.announce(stable="by a clock that went back")
    assert hq.versions()["timestamp"] == first + 1


@pytest.mark.parametrize(
    ("days", "renewed"),
    [(0, set()), (3, set()), (4, {"timestamp"}), (46, {"timestamp", "snapshot", "targets"})],
)
def test_what_is_in_the_second_half_of_its_life_is_signed_anew(hq: Repository, days: int, renewed: set[str]) -> None:
    before = hq.versions()
    hq.now += days * DAY
    assert renew(hq.static, hq.keys, now=hq.now) is bool(renewed)
    assert {name for name, version in hq.versions().items() if version != before[name]} == renewed


def test_renewing_leaves_lower_roles_that_are_young(hq: Repository) -> None:
    hq.now += 40 * DAY
    hq.announce(stable="one")
    targets = hq.versions()["targets"]
    hq.now += 44 * DAY
    renew(hq.static, hq.keys, now=hq.now)
    assert hq.versions()["targets"] == targets


class Crash(BaseException):
    """The process ends here."""


def crash_at(patch: pytest.MonkeyPatch, name: str, call: int, *, after: bool) -> None:
    plain, calls = getattr(sync.hq.repository, name), [0]

    def crashing(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == call and not after:
            raise Crash
        result = plain(*arguments, **options)
        if calls[0] == call:
            raise Crash
        return result

    for module in (sync.hq.repository, sync.hq.trusted_roots):
        if name in vars(module):
            patch.setattr(module, name, crashing)


def crashes(act: Callable[[], Any], name: str, call: int, *, after: bool) -> bool:
    """Do `act`; return whether it came as far as the n-th call of `name`, where it crashed."""
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, name, call, after=after)
        try:
            act()
        except Crash:
            return True
    return False


@pytest.mark.parametrize("after", [False, True])
def test_an_announcement_cut_short_is_made_good_by_the_next(hq: Repository, after: bool) -> None:
    hq.announce(stable="old", canary="old")
    call = 1
    while crashes(partial(hq.announce, stable=f"new {call}", canary=f"new {call}"), "replace_file", call, after=after):
        assert hq.no_version_changed()
        assert hq.head("stable") is not None, "readers find a whole set at every moment"
        assert hq.head("stable") == hq.head("canary")
        hq.announce(stable=f"next {call}")
        assert hq.head("stable") == f"next {call}".encode()
        hq.announce(stable="old", canary="old")
        assert hq.no_version_changed()
        call += 1
    assert call == 6, "two heads, targets, snapshot, timestamp"


@pytest.mark.parametrize("name", ["replace_file", "make_key"])
@pytest.mark.parametrize("after", [False, True])
def test_a_repository_half_made_is_finished(tmp_path: Path, name: str, after: bool) -> None:
    call = 1
    while True:
        hq = Repository(tmp_path / str(call))
        if not crashes(hq.create, name, call, after=after):
            break
        if not (hq.static / "metadata" / "1.root.json").exists():
            hq.create()
        hq.announce(stable="one")
        assert hq.head() == b"one"
        assert announced(hq.static, "hq.json") is not None
        call += 1
    assert call > 3


@pytest.mark.parametrize("name", ["replace_file", "make_key", "sync_directory"])
@pytest.mark.parametrize("after", [False, True])
def test_a_rotation_cut_short_is_finished_or_done_again(tmp_path: Path, name: str, after: bool) -> None:
    call = 1
    while True:
        hq = Repository(tmp_path / str(call)).create()
        hq.announce(stable="one")
        if not crashes(partial(hq.rotate, new_root_keys=True), name, call, after=after):
            break
        hq.announce(canary="two")
        assert (hq.head("stable"), hq.head("canary")) == (b"one", b"two")
        assert hq.rotate(new_root_keys=True) in (2, 3)
        assert hq.head("stable") == b"one"
        assert hq.no_version_changed()
        call += 1
    assert call > 1


def test_a_lost_or_spoilt_file_is_put_back(hq: Repository) -> None:
    hq.announce(stable="one")
    (path,) = (hq.static / "targets" / "fr").iterdir()
    path.write_bytes(b"spoilt")
    assert hq.head() is None
    assert hq.announce(stable="one")
    assert hq.head() == b"one"
    (hq.static / "metadata" / "timestamp.json").unlink()
    assert hq.head() is None
    hq.announce(stable="one")
    assert hq.head() == b"one"
    assert hq.no_version_changed()


def test_publishing_two_markets_at_once_is_fine(hq: Repository) -> None:
    def publish(market: str) -> None:
        for number in range(10):
            announce(hq.static, hq.keys, {f"{market}/stable.head": f"{market} {number}".encode()}, now=NOW)

    threads = [threading.Thread(target=publish, args=(market,)) for market in ("fr", "us")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(targets_of(hq.static)) == {"fr/stable.head", "us/stable.head", "hq.json"}
    assert (announced(hq.static, "fr/stable.head"), announced(hq.static, "us/stable.head")) == (b"fr 9", b"us 9")


def test_rotation_takes_the_old_online_key_away(hq: Repository) -> None:
    hq.announce(stable="one")
    before = status(hq.static, hq.keys, now=NOW)
    assert hq.rotate() == 2
    after = status(hq.static, hq.keys, now=NOW)
    for role in ("targets", "snapshot", "timestamp"):
        assert set(before["roles"][role]["keys"]).isdisjoint(after["roles"][role]["keys"])
    assert before["roles"]["root"]["keys"] == after["roles"]["root"]["keys"]
    assert before["reply_keys"] != after["reply_keys"]
    assert hq.head() == b"one"


def test_new_root_keys_and_another_threshold(hq: Repository) -> None:
    old = set(status(hq.static, hq.keys, now=NOW)["roles"]["root"]["keys"])
    hq.rotate(new_root_keys=True, threshold=3)
    role = status(hq.static, hq.keys, now=NOW)["roles"]["root"]
    assert (old & set(role["keys"]), role["threshold"], len(role["keys"])) == (set(), 3, 3)
    with pytest.raises(Invalid):
        hq.rotate(threshold=4)


def test_root_keys_may_be_elsewhere_and_too_few_are_too_few(hq: Repository, tmp_path: Path) -> None:
    stick = (hq.keys / "root").rename(tmp_path / "stick")
    with pytest.raises(NotEnoughKeys):
        hq.rotate()
    assert hq.announce(stable="one"), "publishing needs no root key"
    assert status(hq.static, hq.keys, now=NOW)["root_keys_here"] == []
    sorted(stick.iterdir())[0].unlink()
    assert hq.rotate(root_keys=stick) == 2, "two of three suffice"
    sorted(stick.iterdir())[0].unlink()
    make_key(stick / "foreign.pem")
    assert len(signers_in(stick)) == 2
    with pytest.raises(NotEnoughKeys) as problem:
        hq.rotate(root_keys=stick)
    assert problem.value.data == {"found": 1, "needed": 2}
    assert newest_root(hq.static) == (hq.static / "metadata" / "2.root.json").read_text()


def test_an_online_key_that_no_root_names_signs_nothing(hq: Repository) -> None:
    make_key(hq.keys / "online.pem")
    with pytest.raises(Conflict):
        hq.announce(stable="one")


def test_without_keys_there_is_nothing_to_announce_with(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="keys init"):
        Repository(tmp_path).announce(stable="one")


def test_what_was_replaced_stays_thirty_days_and_roots_for_ever(hq: Repository) -> None:
    hq.announce(stable="one", canary="quiet")
    hq.rotate()
    for days, text in ((10, "two"), (20, "three"), (35, "four")):
        hq.now = NOW + days * DAY
        hq.announce(stable=text)

    def heads(at: datetime) -> set[bytes]:
        sweep(hq.static, now=at)
        return {path.read_bytes() for path in (hq.static / "targets" / "fr").iterdir()}

    assert heads(hq.now) == {b"one", b"quiet", b"two", b"three", b"four"}
    assert heads(NOW + 41 * DAY) == {b"quiet", b"two", b"three", b"four"}, "one was replaced on day 10"
    assert heads(NOW + 66 * DAY) == {b"quiet", b"four"}
    assert (hq.head("stable"), hq.head("canary")) == (b"four", b"quiet")
    names = {path.name.split(".", 1)[1] for path in (hq.static / "metadata").iterdir()}
    assert names == {"json", "root.json", "snapshot.json", "targets.json"}
    assert len(list((hq.static / "metadata").glob("*.root.json"))) == 2
    assert len(list((hq.static / "metadata").glob("*.targets.json"))) == 1
