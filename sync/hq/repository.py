"""HQ's side of trust: a TUF repository of static files, in which every published head is a signed target (TUF specification 1.0).

Invariants: readers find a whole, consistent set at every moment, since a file is written before what names it and
`timestamp.json` last; a version is never used for two contents; a root is kept for ever, so that a kiosk can walk from any older
one. Whatever a crash cut short, the next announcement puts right.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from pos import clock
from pos.errors import Conflict, Invalid, NotFound
from pos.tokens import key_id
from sync.blobs import replace_file, sync_directory
from sync.hq.keys import ONLINE, REPLY, ROOT, make_key, read_key, signer_at, signers_in
from sync.hq.trusted_roots import (
    keys_at_hand,
    make_root_keys,
    name_online_key,
    name_root_keys,
    newest_version,
    read_root,
    root_path,
    write_root,
)
from sync.locks import wait_for
from sync.signatures import HQ_FORMAT, HQ_TARGET

LIFE = {
    Root.type: timedelta(days=730),
    Targets.type: timedelta(days=90),
    Snapshot.type: timedelta(days=90),
    Timestamp.type: timedelta(days=7),
}
ROOT_KEYS, THRESHOLD = 3, 2
KEPT = timedelta(days=30)
"""How long what was replaced can still be fetched by those who began before."""

NEWER = f"{ONLINE}.new"
"""The online key of a rotation under way: it counts once a root names it."""

LATEST_FILE_TIME = 2**32
_VERSIONED = re.compile(r"([1-9][0-9]{0,17})\.(root|snapshot|targets)\.json", re.ASCII)


Replaces = Callable[[Iterable[bytes]], None]


@dataclass(frozen=True, slots=True)
class _State:
    """What is announced now. `is_current` tells whether the newest root's keys signed it."""

    targets: Metadata[Targets]
    snapshot: Metadata[Snapshot]
    timestamp: Metadata[Timestamp]
    is_current: bool


def create(static: Path, keys: Path, *, threshold: int = THRESHOLD, root_keys: int = ROOT_KEYS, now: datetime) -> None:
    """Make the keys in `keys` and the repository in `static`, of which `threshold` of `root_keys` root keys decide.

    Cut short, it may be called again. Raises: Conflict when there is a repository, Invalid for numbers that cannot be.
    """
    if not 1 <= threshold <= root_keys:
        raise Invalid(f"a threshold of {threshold} does not fit {root_keys} root keys")
    with wait_for(_lock(static)):
        if root_path(static, 1).exists():
            raise Conflict(f"there are keys already: {static / 'metadata'} has a root")
        for path in (keys / ONLINE, keys / REPLY):
            if not path.exists():
                make_key(path)
        own = make_root_keys(keys / ROOT, 1, root_keys)
        root = Root(version=1, expires=now + LIFE[Root.type], consistent_snapshot=True)
        name_root_keys(root, own, threshold)
        name_online_key(root, signer_at(keys / ONLINE))
        write_root(static, root, own)
        _announce(static, keys, {}, now=now)


def announce(
    static: Path, keys: Path, documents: Mapping[str, bytes], *, replaces: Replaces | None = None, now: datetime
) -> bool:
    """Make `documents`, by target path, what kiosks find; return whether anything had to be written.

    Others stay announced. What nears its expiry is signed anew. `replaces` is told, before anything is written, what was
    announced until now under the names whose content changes. Waits for another announcement under way.
    Raises: NotFound without keys, Conflict when the online key is not the newest root's.
    """
    with wait_for(_lock(static)):
        return _announce(static, keys, documents, replaces=replaces, now=now)


def renew(static: Path, keys: Path, *, now: datetime) -> bool:
    """Sign anew what is in the second half of its life; return whether anything was. Raises: as `announce`."""
    return announce(static, keys, {}, now=now)


def is_renewal_due(static: Path, *, now: datetime) -> bool:
    """Tell, by one look at one small file, whether `renew` is worth a call."""
    try:
        document = json.loads((static / "metadata" / "timestamp.json").read_bytes())
        expires = clock.from_text(document["signed"]["expires"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return expires - now < LIFE[Timestamp.type] / 2


def announced(static: Path, name: str) -> bytes | None:
    """Return the announced content of a target, or None when there is none or its file is not what was announced."""
    return announced_all(static, [name]).get(name)


def announced_all(static: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Return the announced content of several targets after one look at the metadata; what `announced` has not is left out."""
    return _contents(static, targets_of(static), names)


def targets_of(static: Path) -> dict[str, TargetFile]:
    """Return what is announced, by target path."""
    state = _state(static)
    return dict(state.targets.signed.targets) if state is not None else {}


def rotate(
    static: Path,
    keys: Path,
    *,
    root_keys: Path | None = None,
    new_root_keys: bool = False,
    threshold: int | None = None,
    now: datetime,
) -> int:
    """Replace the online key and the reply key, and the root keys too if asked; return the new root's version.

    The root keys at hand, in `root_keys` or else in the folder of keys, sign the new root. What was signed with the old
    online key counts for nothing any more, whatever version it claims. New root keys appear beside the old ones.
    Raises: NotEnoughKeys, NotFound, Invalid.
    """
    with wait_for(_lock(static)):
        before = read_root(static, newest_version(static))
        _settle(keys, before.signed)
        state = _state(static)
        folder = root_keys or keys / ROOT
        old = keys_at_hand(folder, before.signed)
        root = copy.deepcopy(before.signed)
        root.version += 1
        root.expires = now + LIFE[Root.type]
        most = len(root.roles[Root.type].keyids)
        threshold = threshold or root.roles[Root.type].threshold
        if not 1 <= threshold <= most:
            raise Invalid(f"a threshold of {threshold} does not fit {most} root keys")
        own = make_root_keys(folder, root.version, most) if new_root_keys else old
        if new_root_keys:
            name_root_keys(root, own, threshold)
        root.roles[Root.type].threshold = threshold
        make_key(keys / NEWER)
        name_online_key(root, signer_at(keys / NEWER))
        write_root(static, root, [*old, *own], before=before.signed)
        _settle(keys, root)
        make_key(keys / REPLY)
        _sign(static, keys, root, _targets(state), {HQ_TARGET: _hq_document(keys)}, now=now)
        return int(root.version)


def status(static: Path, keys: Path, *, now: datetime) -> dict[str, Any]:
    """Describe every role: version, threshold, key ids, and until when it holds; and which root keys are at hand."""
    root = read_root(static, newest_version(static)).signed
    state = _state(static)
    signed: dict[str, Signed] = {Root.type: root}
    if state is not None:
        signed |= {metadata.signed.type: metadata.signed for metadata in (state.targets, state.snapshot, state.timestamp)}
    roles = {
        name: {
            "version": signed[name].version if name in signed else None,
            "threshold": role.threshold,
            "keys": sorted(role.keyids),
            "expires": clock.to_text(signed[name].expires) if name in signed else None,
            "days_left": (signed[name].expires - now).days if name in signed else None,
        }
        for name, role in root.roles.items()
    }
    at_hand = {signer.public_key.keyid for signer in signers_in(keys / ROOT)}
    root_keys_here = sorted(at_hand & set(root.roles[Root.type].keyids))
    return {"roles": roles, "root_keys_here": root_keys_here, "reply_keys": _reply_keys(static)}


def sweep(static: Path, *, now: datetime) -> int:
    """Delete metadata and heads that were replaced more than 30 days ago; return how many files. Roots stay for ever."""
    with wait_for(_lock(static)):
        state = _state(static)
        if state is None:
            return 0
        live = {_target_path(static, info) for info in state.targets.signed.targets.values()}
        live |= {
            static / "metadata" / f"{metadata.signed.version}.{metadata.signed.type}.json"
            for metadata in (state.targets, state.snapshot)
        }
        rows: dict[tuple[Path, str], list[Path]] = {}
        for path in [*(static / "metadata").glob("*.*.json"), *(static / "targets").rglob("*.*.*")]:
            name = path.name.split(".", 1)[1]
            if name != "root.json":
                rows.setdefault((path.parent, name), []).append(path)
        old = [path for row in rows.values() for path in _replaced_before(row, (now - KEPT).timestamp()) if path not in live]
        for path in old:
            path.unlink()
        return len(old)


def _replaced_before(paths: Iterable[Path], moment: float) -> list[Path]:
    """Return those of a row of files whose successor is older than `moment`."""
    by_age = sorted(paths, key=lambda path: path.stat().st_mtime)
    return [path for path, next_path in pairwise(by_age) if next_path.stat().st_mtime < moment]


def _lock(static: Path) -> Path:
    return static.with_name(f"{static.name}.lock")


def _target_path(static: Path, info: TargetFile) -> Path:
    return static / "targets" / info.get_prefixed_paths()[0]


def _state(static: Path) -> _State | None:
    """Return what the newest root's keys signed; a rotation cut short leaves what the root before it allowed."""
    try:
        newest = newest_version(static)
    except NotFound:
        return None
    for version in (newest, newest - 1):
        if version and (state := _read(static, read_root(static, version).signed, is_current=version == newest)) is not None:
            return state
    return None


def _read(static: Path, root: Root, *, is_current: bool) -> _State | None:
    metadata = static / "metadata"
    try:
        timestamp = Metadata[Timestamp].from_bytes((metadata / "timestamp.json").read_bytes())
        root.verify_delegate(Timestamp.type, timestamp.signed_bytes, timestamp.signatures)
        version = timestamp.signed.snapshot_meta.version
        snapshot = Metadata[Snapshot].from_bytes((metadata / f"{version}.snapshot.json").read_bytes())
        root.verify_delegate(Snapshot.type, snapshot.signed_bytes, snapshot.signatures)
        version = snapshot.signed.meta["targets.json"].version
        targets = Metadata[Targets].from_bytes((metadata / f"{version}.targets.json").read_bytes())
        root.verify_delegate(Targets.type, targets.signed_bytes, targets.signatures)
    except (OSError, RepositoryError, KeyError):
        return None
    return _State(targets, snapshot, timestamp, is_current)


def _targets(state: _State | None) -> dict[str, TargetFile]:
    return dict(state.targets.signed.targets) if state is not None else {}


def _contents(static: Path, targets: Mapping[str, TargetFile], names: Iterable[str]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for name in names:
        with suppress(KeyError, OSError, RepositoryError):
            content = _target_path(static, targets[name]).read_bytes()
            targets[name].verify_length_and_hashes(content)
            contents[name] = content
    return contents


def _announce(
    static: Path, keys: Path, documents: Mapping[str, bytes], *, replaces: Replaces | None = None, now: datetime
) -> bool:
    root = read_root(static, newest_version(static)).signed
    _settle(keys, root)
    state = _state(static)
    held = _targets(state)
    wanted = {**documents, HQ_TARGET: _hq_document(keys)}
    standing = _contents(static, held, wanted)
    differing = {name: content for name, content in wanted.items() if standing.get(name) != content}
    if not differing and state is not None and state.is_current:
        roles = (state.targets.signed, state.snapshot.signed, state.timestamp.signed)
        ageing = {signed.type for signed in roles if signed.expires - now < LIFE[signed.type] / 2}
        if not ageing:
            return False
        if Targets.type not in ageing:
            _sign_above(static, keys, state, renews_snapshot=Snapshot.type in ageing, now=now)
            return True
    if replaces is not None:
        replaces([standing[name] for name in differing if name in documents and name in standing])
    _sign(static, keys, root, held, differing, now=now)
    return True


def _sign(
    static: Path, keys: Path, root: Root, held: Mapping[str, TargetFile], documents: Mapping[str, bytes], *, now: datetime
) -> None:
    """Write target files, then targets, snapshot and timestamp: each before what names it."""
    online = _online(keys, root)
    infos = {name: TargetFile.from_data(name, content, ["sha256"]) for name, content in documents.items()}
    for name, info in infos.items():
        path = _target_path(static, info)
        replace_file(path, documents[name])
        os.utime(path, (now.timestamp(), now.timestamp()))
    version = _next_version(static, Targets.type, now)
    targets = Targets(version=version, expires=now + LIFE[Targets.type], targets={**held, **infos})
    _sign_snapshot(static, online, MetaFile.from_data(version, _write(static, targets, online), ["sha256"]), now=now)


def _sign_above(static: Path, keys: Path, state: _State, *, renews_snapshot: bool, now: datetime) -> None:
    """Sign anew what stands above targets that still hold."""
    online = signer_at(keys / ONLINE)
    if renews_snapshot:
        _sign_snapshot(static, online, state.snapshot.signed.meta["targets.json"], now=now)
    else:
        _sign_timestamp(static, online, state.timestamp.signed.snapshot_meta, now=now)


def _sign_snapshot(static: Path, online: CryptoSigner, targets: MetaFile, *, now: datetime) -> None:
    version = _next_version(static, Snapshot.type, now)
    snapshot = Snapshot(version=version, expires=now + LIFE[Snapshot.type], meta={"targets.json": targets})
    _sign_timestamp(static, online, MetaFile.from_data(version, _write(static, snapshot, online), ["sha256"]), now=now)


def _sign_timestamp(static: Path, online: CryptoSigner, snapshot: MetaFile, *, now: datetime) -> None:
    version = _next_version(static, Timestamp.type, now)
    _write(static, Timestamp(version=version, expires=now + LIFE[Timestamp.type], snapshot_meta=snapshot), online)


def _write(static: Path, signed: Timestamp | Snapshot | Targets, online: CryptoSigner) -> bytes:
    metadata: Metadata[Any] = Metadata(signed)
    metadata.sign(online)
    content: bytes = metadata.to_bytes(JSONSerializer(compact=True))
    name = "timestamp.json" if signed.type == Timestamp.type else f"{signed.version}.{signed.type}.json"
    path = static / "metadata" / name
    replace_file(path, content)
    # Web servers make an ETag of time and length; two announcements of one second must differ in it, as their versions do.
    moment = min(signed.version, LATEST_FILE_TIME)
    os.utime(path, (moment, moment))
    return content


def _next_version(static: Path, role: str, now: datetime) -> int:
    """Return a version above every one a file was ever written for, and above what a lost file may have had."""
    used = [0]
    if role == Timestamp.type:
        with suppress(OSError, RepositoryError):
            path = static / "metadata" / "timestamp.json"
            used.append(Metadata[Timestamp].from_bytes(path.read_bytes()).signed.version)
    for path in (static / "metadata").glob(f"*.{role}.json"):
        if versioned := _VERSIONED.fullmatch(path.name):
            used.append(int(versioned[1]))
    return max(max(used) + 1, int(now.timestamp()))


def _settle(keys: Path, root: Root) -> None:
    """Finish a rotation that was cut short: the new key takes its place once a root names it."""
    newer = keys / NEWER
    if newer.exists() and signer_at(newer).public_key.keyid in root.roles[Timestamp.type].keyids:
        newer.replace(keys / ONLINE)
        sync_directory(keys)


def _online(keys: Path, root: Root) -> CryptoSigner:
    signer = signer_at(keys / ONLINE)
    if signer.public_key.keyid not in root.roles[Timestamp.type].keyids:
        raise Conflict(f"{keys / ONLINE} is not the online key that root {root.version} names")
    return signer


def _hq_document(keys: Path) -> bytes:
    public = read_key(keys / REPLY).public_key().public_bytes_raw()
    document = {"format": HQ_FORMAT, "keys": {key_id(public).hex(): public.hex()}}
    return json.dumps(document, separators=(",", ":")).encode()


def _reply_keys(static: Path) -> list[str]:
    content = announced(static, HQ_TARGET)
    return sorted(json.loads(content)["keys"]) if content else []
