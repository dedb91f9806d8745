"""What a kiosk believes: HQ's newest word under any clock, and never an older one, whoever serves it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import Updater

from pos.db import Store
from pos.errors import NotFound
from pos.ops import open_ops, setting, store_setting
from pos.tokens import key_id
from pos.trusted_time import learn_time
from sync.blobs import BlobFolder, BlobRef, ref_of
from sync.corner.client import Client
from sync.corner.folder import Folder
from sync.corner.mirrors import MIRRORS, open_trust, share
from sync.corner.trust import Trust, pin_root, set_reference_time, trusted_set
from sync.errors import Malformed, MetadataExpired, Offline, Rejected, Stale, SyncError, TooLarge, Untrusted
from sync.hq.keys import REPLY, read_key, signer_at
from tests.sync.conftest import NOW, Answer, Line
from tests.sync.hq.test_repository import Repository

YEAR = timedelta(days=365)
TIMESTAMP = "/sync/v1/metadata/timestamp.json"


class Place:
    """HQ's repository, and a kiosk with its root pinned, at the two ends of a line."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.hq = Repository(directory / "hq").create()
        self.line = Line(self.hq.static)
        self.now = NOW
        self.ops: Store = open_ops(directory / "ops.db")
        self.pin()
        self.client = Client("http://hq.example", session=self.session())
        self.trust = self.start()

    def session(self) -> requests.Session:
        session = requests.Session()
        session.mount("http://", self.line)
        return session

    def pin(self, version: int = 1) -> None:
        with self.ops.write() as database:
            pin_root(database, (self.hq.static / "metadata" / f"{version}.root.json").read_text())

    def start(self) -> Trust:
        """Begin a new round, as a new process would."""
        self.client = Client("http://hq.example", session=self.session())
        self.trust = self.again()
        return self.trust

    def again(self) -> Trust:
        """Begin the next round of the same process."""
        return open_trust(self.directory, self.ops, self.client, now=lambda: self.now)

    def publish(self, number: int, **rings: Any) -> None:
        """Publish head `number` for stable, as HQ's clock shows the kiosk's own start."""
        self.hq.announce(**{"stable": json.dumps({"publication": number}), **rings})

    def publication(self, ring: str = "stable") -> int:
        self.trust = self.again()
        number: int = json.loads(self.trust.head("fr", ring))["publication"]
        return number

    def asked(self) -> list[str]:
        paths = [request.path_url for request in self.line.asked]
        self.line.asked.clear()
        return paths

    def settings(self, name: str) -> Any:
        return setting(self.ops.read(), name)

    def learn(self, hq_time: datetime) -> None:
        with self.ops.write() as database:
            learn_time(database, hq_time, wall=self.now)

    def copy(self) -> Path:
        """Keep HQ's files as they are now."""
        target = self.directory / f"copy{len(list(self.directory.glob('copy*')))}"
        shutil.copytree(self.hq.static, target)
        return target


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.ops.close()


def test_a_head_is_followed(place: Place) -> None:
    place.publish(1, canary='{"publication": 9}')
    assert (place.publication(), place.publication("canary")) == (1, 9)
    place.publish(2)
    assert place.publication() == 2


def test_nothing_new_is_one_request(place: Place) -> None:
    place.publish(1)
    place.publication()
    place.asked()
    before = place.client.received
    assert place.publication() == 1
    assert place.asked() == [TIMESTAMP]
    assert place.client.received == before, "304"
    place.start()
    assert place.publication() == 1
    assert place.asked() == [TIMESTAMP], "a new process has no ETag, but the same bytes"


def test_news_costs_what_is_new(place: Place) -> None:
    place.publish(1)
    place.publication()
    place.publish(2)
    place.asked()
    place.publication()
    version = place.hq.versions()["targets"]
    assert [path.rpartition("/")[2].split(".", 1)[1] for path in place.asked()] == [
        "json",
        "root.json",
        "snapshot.json",
        "targets.json",
        "stable.head",
    ]
    assert version == place.hq.versions()["snapshot"]


@pytest.mark.parametrize(("market", "ring"), [("../x", "stable"), ("fr", "../../x"), ("fr", "beta"), ("", "stable")])
def test_a_name_that_is_none_asks_nobody(place: Place, market: str, ring: str) -> None:
    with pytest.raises(Malformed):
        place.trust.head(market, ring)
    assert place.asked() == []


def test_a_head_nobody_announced_is_not_there(place: Place) -> None:
    with pytest.raises(Rejected) as problem:
        place.trust.head("us", "stable")
    assert problem.value.data["code"] == "not_announced"


def test_without_a_root_nothing_is_believed(place: Place) -> None:
    with place.ops.write() as database:
        store_setting(database, "trusted_root", None)
    with pytest.raises(NotFound):
        place.trust.head("fr", "stable")


def test_python_tuf_still_keeps_its_trusted_set_where_we_reach_for_it(place: Place) -> None:
    """Expiry is judged by our time: should the name change, `set_reference_time` must follow."""
    root = (place.hq.static / "metadata" / "1.root.json").read_bytes()
    updater = Updater(str(place.directory), "metadata", bootstrap=root)
    assert isinstance(trusted_set(updater).reference_time, datetime)
    set_reference_time(updater, datetime(1999, 1, 1, tzinfo=UTC))
    assert trusted_set(updater).reference_time.year == 1999
    assert trusted_set(updater).root.version == 1


def spoilt(place: Place, match: str, spoil: Callable[[bytes], bytes]) -> None:
    def after(request: Any, answer: Answer) -> Answer:
        return (200, {}, spoil(answer[2])) if match in request.path_url else answer

    place.line.after = after


@pytest.mark.parametrize("file", ["timestamp.json", "snapshot.json", "targets.json", "stable.head", "hq.json"])
@pytest.mark.parametrize(
    ("spoil", "errors"),
    [
        (lambda body: body.replace(b"2", b"3"), SyncError),
        (lambda body: body[:-7], SyncError),
        (lambda body: b"<html>Bienvenue</html>", SyncError),
        (lambda body: b"", SyncError),
        (lambda body: body + b" " * 10_000_000, (TooLarge, Untrusted)),
        (lambda body: b"[" * 10_000, SyncError),
    ],
    ids=["edited", "cut", "portal", "empty", "endless", "deep"],
)
def test_spoilt_files_are_refused_and_the_old_head_stays(
    place: Place, file: str, spoil: Callable[[bytes], bytes], errors: type[Exception]
) -> None:
    place.publish(1)
    place.publication()
    if file == "hq.json":
        place.hq.rotate()
    place.publish(2)
    spoilt(place, file, spoil)
    with pytest.raises(errors):
        place.publication()
    assert place.client.received < 500_000
    place.line.after = lambda request, answer: answer
    assert place.publication() == 2


def test_a_head_of_another_ring_in_its_place_is_refused(place: Place) -> None:
    place.publish(1, canary='{"publication": 2}')
    (canary,) = (place.hq.static / "targets" / "fr").glob("*.canary.head")
    place.line.before = lambda request: (200, {}, canary.read_bytes()) if "stable" in request.path_url else None
    with pytest.raises(Untrusted):
        place.publication()


def test_files_of_two_publications_do_not_mix(place: Place) -> None:
    place.publish(1)
    old = place.copy()
    place.publish(2)
    (targets,) = sorted((old / "metadata").glob("*.targets.json"))[-1:]
    place.line.before = lambda request: (200, {}, targets.read_bytes()) if "targets.json" in request.path_url else None
    with pytest.raises(Untrusted):
        place.publication()


def test_older_metadata_is_left_aside(place: Place) -> None:
    place.publish(1)
    old = place.copy()
    place.publish(2)
    assert place.publication() == 2
    place.line.static = old
    with pytest.raises(Stale):
        place.publication()
    place.line.static = place.hq.static
    assert place.publication() == 2


@pytest.mark.parametrize("loss", ["gone", "empty files", "garbage", "a file in its place"])
def test_a_lost_directory_is_rebuilt_and_remembers_what_it_saw(place: Place, loss: str) -> None:
    place.publish(1)
    old = place.copy()
    place.hq.rotate()
    middle = place.copy()
    place.publish(2)
    assert place.publication() == 2

    def lose() -> None:
        directory = place.directory / "trust"
        if loss in ("gone", "a file in its place"):
            shutil.rmtree(directory, ignore_errors=True)
            directory.unlink(missing_ok=True) if directory.is_file() else None
        if loss == "a file in its place":
            directory.write_text("here")
        for path in directory.rglob("*.json"):
            path.write_bytes(b"" if loss == "empty files" else b"\0" * 700)

    lose()
    place.line.static = middle
    with pytest.raises(Stale):
        place.publication()
    lose()
    place.line.static = old
    with pytest.raises(SyncError):
        place.publication()
    lose()
    place.line.static = place.hq.static
    assert place.publication() == 2


def test_every_half_written_file_is_made_good(place: Place) -> None:
    place.publish(1)
    place.publication()
    files = [path for path in (place.directory / "trust").rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) == 6
    for path in files:
        path.write_bytes(path.read_bytes()[:50])
        assert place.publication() == 1
        assert json.loads(place.start().head("fr", "stable"))["publication"] == 1


def test_any_older_root_leads_to_the_newest(place: Place) -> None:
    for number in range(1, 5):
        place.hq.rotate(new_root_keys=number % 2 == 0)
        place.publish(number)
    assert place.hq.versions()["root"] == 5
    for pinned in range(1, 6):
        shutil.rmtree(place.directory / "trust", ignore_errors=True)
        place.pin(pinned)
        assert json.loads(place.start().head("fr", "stable"))["publication"] == 4
        assert json.loads(place.settings("trusted_root"))["signed"]["version"] == 5


def test_a_root_without_enough_signatures_is_refused(place: Place) -> None:
    place.publish(1)
    place.publication()
    place.hq.rotate()
    path = place.hq.static / "metadata" / "2.root.json"
    root = json.loads(path.read_bytes())
    root["signatures"] = root["signatures"][:1]
    path.write_text(json.dumps(root))
    with pytest.raises(Untrusted):
        place.publication()


class Thief:
    """Somebody who holds HQ's online key and signs with it what they like."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.signer = signer_at(place.hq.keys / "online.pem")
        self.static = place.directory / "thief"
        shutil.copytree(place.hq.static, self.static)

    def publish(self, number: int, *, version: int) -> None:
        content = json.dumps({"publication": number}).encode()
        head = TargetFile.from_data("fr/stable.head", content, ["sha256"])
        held = Metadata[Targets].from_file(str(sorted((self.static / "metadata").glob("*.targets.json"))[-1]))
        expires = NOW + timedelta(days=7)
        targets = Targets(version=version, expires=expires, targets={**held.signed.targets, "fr/stable.head": head})
        self.write(f"{version}.targets.json", targets)
        self.write(
            f"{version}.snapshot.json", Snapshot(version=version, expires=expires, meta={"targets.json": MetaFile(version)})
        )
        self.write("timestamp.json", Timestamp(version=version, expires=expires, snapshot_meta=MetaFile(version)))
        path = self.static / "targets" / head.get_prefixed_paths()[0]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    def write(self, name: str, signed: Any, signer: CryptoSigner | None = None) -> None:
        metadata = Metadata(signed)
        metadata.sign(signer or self.signer)
        (self.static / "metadata" / name).write_bytes(metadata.to_bytes())


def test_a_stolen_online_key_is_taken_away_for_good(place: Place) -> None:
    """Even after the thief published under huge version numbers (TUF 5.3.11, fast-forward recovery)."""
    place.publish(1)
    place.publication()
    era = place.trust.era
    thief = Thief(place)
    thief.publish(666, version=2**40)
    place.line.static = thief.static
    assert place.publication() == 666, "nothing tells the thief from HQ yet"
    assert place.trust.era == era
    place.hq.rotate()
    place.publish(2)
    place.line.static = place.hq.static
    assert place.publication() == 2
    assert place.trust.era != era
    thief.publish(667, version=2**41)
    place.line.static = thief.static
    for _ in range(2):
        with pytest.raises(SyncError):
            place.publication()
        shutil.rmtree(place.directory / "trust", ignore_errors=True)
    place.line.static = place.hq.static
    assert place.publication() == 2


def test_a_head_signed_with_another_key_is_refused(place: Place) -> None:
    place.publish(1)
    thief = Thief(place)
    thief.signer = CryptoSigner.generate_ed25519()
    thief.publish(666, version=2**40)
    place.line.static = thief.static
    with pytest.raises(Untrusted):
        place.publication()


def test_what_has_run_out_is_not_installed(place: Place) -> None:
    place.publish(1)
    place.publication()
    place.now += timedelta(days=8)
    with pytest.raises(MetadataExpired):
        place.publication()
    place.publish(2)
    place.now = NOW + timedelta(days=6)
    assert place.publication() == 2


def test_a_frozen_hq_is_noticed_by_trusted_time_though_the_clock_stands_still(place: Place) -> None:
    place.publish(1)
    place.publication()
    place.learn(NOW + timedelta(days=8))
    with pytest.raises(MetadataExpired):
        place.publication()


def test_a_root_that_ran_out_is_renewed_by_the_next(place: Place) -> None:
    place.publish(1)
    place.publication()
    place.now = place.hq.now = NOW + 3 * YEAR
    place.publish(2)
    with pytest.raises(MetadataExpired):
        place.publication()
    place.hq.rotate()
    assert place.publication() == 2


@pytest.mark.parametrize("offset", [-10 * YEAR, 10 * YEAR, datetime(1970, 1, 1, tzinfo=UTC) - NOW], ids=["-10y", "+10y", "dead"])
def test_a_wrong_clock_that_hq_has_told_changes_nothing(place: Place, offset: timedelta) -> None:
    place.now += offset
    place.learn(NOW)
    place.publish(1)
    assert place.publication() == 1
    place.publish(2)
    assert place.publication() == 2


@pytest.mark.parametrize("offset", [-10 * YEAR, 10 * YEAR, datetime(1970, 1, 1, tzinfo=UTC) - NOW], ids=["-10y", "+10y", "dead"])
def test_reply_keys_are_known_before_the_time_is(place: Place, offset: timedelta) -> None:
    place.now += offset
    public = read_key(place.hq.keys / REPLY).public_key().public_bytes_raw()
    assert place.trust.reply_key(key_id(public).hex()) == public
    place.asked()
    assert place.trust.reply_key(key_id(public).hex()) == public
    assert place.asked() == [], "known keys are not asked for"
    place.hq.rotate()
    newer = read_key(place.hq.keys / REPLY).public_key().public_bytes_raw()
    assert place.trust.reply_key(key_id(newer).hex()) == newer
    assert place.trust.reply_key(key_id(public).hex()) is None


@pytest.mark.parametrize(
    "content", [b"[]", b"{", b'{"format": "comptoir-hq/2", "keys": {}}', b'{"format": "comptoir-hq/1", "keys": {"a": "zz"}}']
)
def test_an_hq_document_of_another_form_names_no_keys(place: Place, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.hq.repository._hq_document", lambda keys: content)
    place.publish(1)
    with pytest.raises(Malformed):
        place.publication()


def test_offline_is_offline(place: Place) -> None:
    def cut(request: Any) -> None:
        raise requests.ConnectionError("no route")

    place.line.before = cut
    with pytest.raises(Offline):
        place.publication()
    place.line.before = lambda request: (503, {"Retry-After": "7"}, b"")
    with pytest.raises(Offline) as problem:
        place.publication()
    assert problem.value.data["retry_after_s"] == 7


def test_a_sign_in_page_by_redirect_is_no_missing_root(place: Place) -> None:
    place.publish(1)
    place.line.before = lambda request: (302, {"Location": "http://portal"}, b"") if "root" in request.path_url else None
    with pytest.raises(Rejected):
        place.publication()


# A neighbour: the same files from elsewhere, by the same line, told apart by host.


@pytest.fixture
def neighbour(place: Place) -> Neighbour:
    return Neighbour(place)


class Neighbour:
    def __init__(self, place: Place) -> None:
        self.place = place
        self.static = place.hq.static
        self.spoil: Callable[[str, bytes], bytes] = lambda path, body: body
        self.is_hq_away = False
        with place.ops.write() as database:
            store_setting(database, MIRRORS, ["http://neighbour.example"])
        place.line.before = self.answer
        place.start()

    def answer(self, request: requests.PreparedRequest) -> Answer | None:
        if not (request.url or "").startswith("http://neighbour.example"):
            if self.is_hq_away:
                raise requests.ConnectionError("no route")
            return None
        path = self.static / request.path_url.removeprefix("/sync/v1/")
        return (200, {}, self.spoil(request.path_url, path.read_bytes())) if path.exists() else (404, {}, b"{}")

    def asked(self) -> list[str]:
        hosts = [(request.url or "").split("/")[2] for request in self.place.line.asked]
        self.place.line.asked.clear()
        return hosts


def test_a_neighbour_is_asked_first_and_carries_the_load(place: Place, neighbour: Neighbour) -> None:
    place.publish(1)
    ref = BlobFolder(place.hq.static / "b").store(b"rows")
    assert place.publication() == 1
    place.trust.blob(ref, place.directory / "blob")
    hosts = neighbour.asked()
    assert hosts[0] == hosts[-1] == "neighbour.example"
    assert hosts.count("hq.example") == 1, "HQ is asked for nothing but its timestamp"


def test_without_hq_a_neighbour_will_do(place: Place, neighbour: Neighbour) -> None:
    place.publish(1)
    neighbour.is_hq_away = True
    assert place.publication() == 1


def test_a_neighbour_that_stands_still_holds_nothing_back(place: Place, neighbour: Neighbour) -> None:
    place.publish(1)
    neighbour.static = place.copy()
    assert place.publication() == 1
    place.publish(2)
    assert place.publication() == 2


def test_a_neighbour_with_something_older_or_spoilt_is_left_out_of_the_round(place: Place, neighbour: Neighbour) -> None:
    place.publish(1)
    old = place.copy()
    place.publish(2)
    assert place.publication() == 2
    neighbour.static = old
    neighbour.asked()
    assert place.publication() == 2
    assert neighbour.asked() == ["neighbour.example", "neighbour.example", "hq.example"], "timestamp and next root, then HQ"
    neighbour.static = place.hq.static
    neighbour.spoil = lambda path, body: body.replace(b"a", b"b")
    place.publish(3)
    assert place.publication() == 3


def test_a_neighbour_with_a_stolen_key_does_not_outlive_the_rotation(place: Place, neighbour: Neighbour) -> None:
    place.publish(1)
    thief = Thief(place)
    place.hq.rotate()
    place.publish(2)
    thief.publish(666, version=2**40)
    neighbour.static = thief.static
    assert place.publication() == 2


def test_a_spoilt_blob_of_a_neighbour_comes_from_hq(place: Place, neighbour: Neighbour) -> None:
    ref = BlobFolder(place.hq.static / "b").store(b"rows")
    neighbour.spoil = lambda path, body: b"wars" if "/b/" in path else body
    place.again().blob(ref, place.directory / "blob")
    assert (place.directory / "blob").read_bytes() == b"rows"
    with pytest.raises(Rejected):
        place.again().blob(ref_of(b"nobody has it"), place.directory / "other")


def test_what_a_kiosk_shares_another_believes(place: Place, tmp_path: Path) -> None:
    place.publish(1)
    place.hq.rotate()
    place.publish(2)
    assert place.publication() == 2
    BlobFolder(place.directory / "blobs").store(b"rows")
    share(place.directory)
    share(place.directory)
    other = Place(tmp_path / "other")
    with other.ops.write() as database:
        pin_root(database, (place.hq.static / "metadata" / "1.root.json").read_text())
    trust = Trust(other.directory / "trust", other.ops, [Folder(place.directory / "mirror")], now=lambda: NOW)
    assert json.loads(trust.head("fr", "stable"))["publication"] == 2
    trust.blob(ref_of(b"rows"), other.directory / "blob")
    with pytest.raises(Rejected):
        trust.head("fr", "canary")
    with pytest.raises(Rejected):
        trust.blob(BlobRef(hashlib.sha256(b"x").hexdigest(), 1), other.directory / "blob")
    other.ops.close()


def test_sharing_does_not_grow_for_ever(place: Place) -> None:
    for number in range(1, 20):
        place.publish(number)
        place.publication()
        share(place.directory)
    assert len(list((place.directory / "mirror" / "metadata").glob("*.targets.json"))) == 12


def test_what_is_shared_now_stays_beside_files_of_a_clock_that_ran_ahead(place: Place) -> None:
    for number in range(1, 15):
        place.publish(number)
        place.publication()
        share(place.directory)
    for path in (place.directory / "mirror").rglob("*.json"):
        os.utime(path, (2**32, 2**32))
    place.publish(15)
    place.publication()
    share(place.directory)

    newest = json.loads((place.directory / "trust" / "targets.json").read_bytes())["signed"]["version"]
    assert (place.directory / "mirror" / "metadata" / f"{newest}.targets.json").exists()
    assert len(list((place.directory / "mirror" / "metadata").glob("*.targets.json"))) == 12


def test_a_folder_is_checked_like_the_network(place: Place) -> None:
    place.publish(1)
    stick = place.copy()
    ref = BlobFolder(stick / "b").store(b"rows")

    def read() -> int:
        trust = Trust(place.directory / "trust", place.ops, [Folder(stick)], now=lambda: place.now)
        trust.blob(ref, place.directory / "blob")
        number: int = json.loads(trust.head("fr", "stable"))["publication"]
        return number

    assert read() == 1
    place.publish(2)
    place.publication()
    with pytest.raises(Stale):
        read()
    (stick / "b" / ref.sha256).write_bytes(b"wars")
    with pytest.raises(Untrusted):
        read()
    (stick / "b" / ref.sha256).write_bytes(b"rows" * 2)
    with pytest.raises(TooLarge):
        read()
    shutil.rmtree(stick)
    with pytest.raises(Rejected):
        read()


@pytest.mark.parametrize(("root", "error"), [("", Malformed), ("{}", Malformed), ("<html>", Malformed)])
def test_what_is_no_root_is_not_pinned(place: Place, root: str, error: type[Exception]) -> None:
    with pytest.raises(error), place.ops.write() as database:
        pin_root(database, root)
    assert place.settings("trusted_root")


def test_a_root_that_does_not_vouch_for_itself_is_not_pinned(place: Place) -> None:
    root = json.loads(place.settings("trusted_root"))
    root["signed"]["version"] = 7
    with pytest.raises(Untrusted), place.ops.write() as database:
        pin_root(database, json.dumps(root))
