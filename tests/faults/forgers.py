"""Who stands between HQ and a kiosk: a mirror that serves a directory of its own, and somebody who signs what they like."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Snapshot, TargetFile, Targets, Timestamp

from pos.ops import store_setting
from sync.corner.mirrors import MIRRORS, open_trust
from sync.follower import Moved
from sync.hq.repository import targets_of
from tests.sync.conftest import NOW, Answer, Hq, Kiosk

MIRROR_URL = "http://mirror.example"


class Mirror:
    """A neighbour of a kiosk, asked before HQ, on the same line. `static` is what it serves, also in HQ's name if asked to."""

    def __init__(self, kiosk: Kiosk, static: Path) -> None:
        self.static = static
        self.is_in_hqs_place = False
        self.asked: list[str] = []
        self._kiosk = kiosk
        with kiosk.ops.write() as database:
            store_setting(database, MIRRORS, [MIRROR_URL])
        kiosk.line.before = self._answer

    def follow(self, *, now: datetime = NOW) -> Moved:
        """Let the kiosk begin a round: what was left out in the last one is asked again."""
        begin_round(self._kiosk, now=now)
        return self._kiosk.follow()

    def _answer(self, request: requests.PreparedRequest) -> Answer | None:
        if not (request.url or "").startswith(MIRROR_URL) and not self.is_in_hqs_place:
            return None
        self.asked.append(request.path_url)
        path = self.static / request.path_url.removeprefix("/sync/v1/")
        return (200, {}, path.read_bytes()) if path.exists() else (404, {}, b"{}")


class Forger:
    """Somebody who copied HQ's files to `static` and announces there what `signer` signs."""

    def __init__(self, hq: Hq, static: Path, signer: CryptoSigner) -> None:
        self.static = static
        self._signer = signer
        shutil.copytree(hq.static, static)

    def take_from(self, other: Hq, *, version: int) -> None:
        """Serve everything another HQ published, complete and consistent, under metadata of `version`."""
        shutil.copytree(other.static / "b", self.static / "b", dirs_exist_ok=True)
        names = [name for name in targets_of(other.static) if name.endswith(".head")]
        files = {name: targets_of(other.static)[name].get_prefixed_paths()[0] for name in names}
        self.announce({name: (other.static / "targets" / path).read_bytes() for name, path in files.items()}, version=version)

    def announce(self, documents: Mapping[str, bytes], *, version: int, now: datetime = NOW) -> None:
        """Sign documents as targets and everything above them."""
        expires = now + timedelta(days=7)
        infos = {name: TargetFile.from_data(name, content, ["sha256"]) for name, content in documents.items()}
        held = targets_of(self.static)
        for name, info in infos.items():
            path = self.static / "targets" / info.get_prefixed_paths()[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(documents[name])
        self._write(f"{version}.targets.json", Targets(version=version, expires=expires, targets={**held, **infos}))
        snapshot = Snapshot(version=version, expires=expires, meta={"targets.json": MetaFile(version)})
        self._write(f"{version}.snapshot.json", snapshot)
        self._write("timestamp.json", Timestamp(version=version, expires=expires, snapshot_meta=MetaFile(version)))

    def _write(self, name: str, signed: Any) -> None:
        metadata = Metadata(signed)
        metadata.sign(self._signer)
        (self.static / "metadata" / name).write_bytes(metadata.to_bytes())


def begin_round(kiosk: Kiosk, *, now: datetime = NOW) -> None:
    """Open a kiosk's trust as each round does, at a time by its clock."""
    kiosk.trust = open_trust(kiosk.directory, kiosk.ops, kiosk.client, now=lambda: now)


def shadow_of(hq: Hq, directory: Path, **prices: int) -> Hq:
    """Return another HQ with other keys and the same rows, but for prices of `l<listing>`: all it publishes is consistent."""
    directory.mkdir()
    shadow = Hq(directory)
    for table, rows in hq.rows.items():
        shadow.put(table, *rows.values())
    for name, price_cents in prices.items():
        row = shadow.rows["listing"][int(name[1:])]
        shadow.put("listing", (*row[:4], price_cents, *row[5:]))
    shadow.publish(at_least=998)
    return shadow
