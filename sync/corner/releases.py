"""The program's next version on its way: fetched by the app, little by little; taken by root, which believes the app nothing.

The app lays what it fetched and what HQ signed into `K/update/`, laid out like `/sync/v1/`, and says there what is `WANTED` once
all of it is there. Root verifies it anew, from a root of HQ's that a person pinned in a place of root's own: what runs with the
rights of the app can at most choose a ring, and never a release that HQ does not announce now.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from pos.errors import NotFound
from pos.files import read_file
from pos.ops import open_ops, setting
from sync.blobs import FetchedBlobs, replace_file
from sync.corner.folder import Folder
from sync.corner.mirrors import lay_out
from sync.corner.trust import PINNED, Trust, pin_root
from sync.documents import read_object
from sync.errors import Malformed, NoRoom
from sync.faults import LOW_DISK_BYTES
from sync.heads import RINGS
from sync.releases import Release, read_release, release_name

FOLDER, BLOBS, WANTED = "update", "b", "wanted"
OWN_TRUST, OWN_RECORDS = "trust", "trust.db"
DOCUMENT = "release.json"
MOST_ROOT_BYTES = 2**18
ROOM = 6
"""So many times its own bytes a release takes: here, in root's hands, and installed."""


def fetch_release(directory: Path, trust: Trust, document: bytes, *, ring: str, most_bytes: int) -> bool:
    """Bring what is missing of a release into `K/update/`, about `most_bytes` at once; return whether all is there, and wanted.

    What was fetched stays, so that the next call goes on, and the next release fetches only what differs.
    Raises: NoRoom, SyncError, OSError.
    """
    release, folder = read_release(document), directory / FOLDER
    wanted = json.dumps({"ring": ring, "sha256": hashlib.sha256(document).hexdigest()}).encode()
    if release is None:
        drop_release(directory)
        return False
    if _wanted(directory) != wanted:
        (folder / WANTED).unlink(missing_ok=True)
        blobs = FetchedBlobs(folder / BLOBS, trust)
        blobs.clear(keep=[name for file in release.files for name in (file.ref.sha256, f"{file.ref.sha256}.part")])
        missing = {file.ref for file in release.files if not (folder / BLOBS / file.ref.sha256).exists()}
        if shutil.disk_usage(directory).free < sum(ref.length for ref in missing) + (ROOM - 1) * release.bytes + LOW_DISK_BYTES:
            raise NoRoom(f"release {release.version} needs {ROOM * release.bytes:,} bytes")
        left = most_bytes
        for file in release.files:
            if left <= 0:
                return False
            # What is here is read through once more: a disk may have spoilt it.
            blobs.path(file.ref)
            left -= file.ref.length if file.ref in missing else 0
    # Always the newest word of HQ's: an old one runs out while a quiet moment is waited for.
    lay_out(directory, folder)
    if _wanted(directory) != wanted:
        replace_file(folder / WANTED, wanted)
    return True


def drop_release(directory: Path) -> None:
    """Want no release any more; what was fetched stays for the next one."""
    (directory / FOLDER / WANTED).unlink(missing_ok=True)


def pin_release_root(directory: Path, own: Path) -> int:
    """Trust, in the folder `own` of root's, the root that the kiosk in `directory` came to trust, alone; return its version.

    For a person, at enrolment: from then on nothing that runs as the app's user has a say in it.
    Raises: NotFound before the first round, Malformed, Untrusted.
    """
    roots = {int(path.name.split(".")[0]): path for path in (directory / "trust" / "root_history").glob("[1-9]*.root.json")}
    if not roots:
        raise NotFound("no root of HQ's is here yet: enrol this kiosk, run `comptoir kiosk sync`, then call me again")
    newest = max(roots)
    text = read_file(roots[newest], most_bytes=MOST_ROOT_BYTES).decode("utf-8", "replace")
    with closing(open_ops(own / OWN_RECORDS)) as records, records.write() as database:
        pin_root(database, text)
    shutil.rmtree(own / OWN_TRUST, ignore_errors=True)
    return newest


def take_release(directory: Path, own: Path, into: Path, *, now: datetime) -> Release | None:
    """Verify anew what the app laid out, by what `own` trusts, and copy its files into the empty folder `into`.

    `DOCUMENT` there is what HQ signed. None where HQ announces no release for the ring. Raises: NotFound when nothing is wanted
    or no root was pinned, SyncError, OSError.
    """
    spool = directory / FOLDER
    with closing(open_ops(own / OWN_RECORDS)) as records:
        if setting(records.read(), PINNED) is None:
            raise NotFound("no root of HQ's was pinned: call `/usr/lib/comptoir/update trust` as root")
        trust = Trust(own / OWN_TRUST, records, [Folder(spool)], now=lambda: now)
        document = trust.target(release_name(_ring(spool)))
        release = read_release(document)
        for file in release.files if release else ():
            place = into / file.path
            trust.blob(file.ref, place)
            place.chmod(0o755 if file.is_program else 0o644)
    if release is not None:
        replace_file(into / DOCUMENT, document)
    return release


def _wanted(directory: Path) -> bytes | None:
    with suppress(OSError):
        return read_file(directory / FOLDER / WANTED, most_bytes=1024)
    return None


def _ring(spool: Path) -> str:
    try:
        ring = read_object(read_file(spool / WANTED, most_bytes=1024)).get("ring")
    except FileNotFoundError as problem:
        raise NotFound("no release is wanted") from problem
    if ring not in RINGS:
        raise Malformed("not one of the rings")
    return str(ring)
