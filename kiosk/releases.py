"""The program's next version at a kiosk: what HQ announces, how far it is, when nobody is disturbed by it, and how it went.

The app fetches and says when it is quiet; `comptoir-update.service`, as root, verifies, installs and steps back, and leaves
word in `STATE` (docs/operating.md, "Releases").
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from sqlite_utils import Database

from kiosk.directories import directory_option
from pos import clock
from pos.corners import corner
from pos.db import Store
from pos.errors import NotFound
from pos.files import read_file
from pos.ops import setting, store_setting
from sync.corner.releases import drop_release, fetch_release, pin_release_root, take_release
from sync.corner.trust import Trust
from sync.errors import Malformed, NoRoom, TooLarge
from sync.releases import UPDATE, ToldUpdate, read_release

STATE = Path("/var/lib/comptoir-update/state.json")
MOST_STATE_BYTES = 2**16
ROUND_BYTES = 4 * 2**20
"""What one round may fetch: at 2 Mbit/s the next look at prices waits sixteen seconds."""
NIGHT, NIGHT_IDLE_S, DAY_IDLE_S = (22, 6), 600.0, 1800.0
"""From when to when it is night by the corner's clock, and how long nobody has touched anything before it is quiet."""
FETCHING, WAITING, NO_ROOM = "fetching", "waiting", "update_no_room"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateWord:
    """What root last said of a release: the fault's code, since when, and whether it is not to be tried now."""

    code: str
    at: str | None
    is_refused: bool


def update_word(document_sha256: str, *, now: datetime, state: Path = STATE) -> UpdateWord | None:
    """Return root's word on the release that HQ announced by this document; None for none, as on a machine without an updater."""
    try:
        said = json.loads(read_file(state, most_bytes=MOST_STATE_BYTES))
        refused, problem = said.get("refused", {}).get(document_sha256), said.get("problem")
        met = refused or problem
        if not met:
            return None
        is_refused = refused is not None and str(refused["until"]) > clock.to_text(now)
        return UpdateWord(code=str(met["code"]), at=met["at"] if clock.is_text(met["at"]) else None, is_refused=is_refused)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def follow_release(
    directory: Path, ops: Store, trust: Trust, document: bytes, *, version: str, most_bytes: int = ROUND_BYTES
) -> ToldUpdate | None:
    """Fetch some of the release that `document` announces, unless this is it, and keep for the heartbeat how far it is.

    Raises: SyncError, OSError, DatabaseError.
    """
    try:
        release = read_release(document)
    except (Malformed, TooLarge):
        release = None
    told: ToldUpdate | None = None
    if release is None or release.version == version:
        drop_release(directory)
    else:
        word = update_word(hashlib.sha256(document).hexdigest(), now=clock.now())
        told = {"version": release.version, "state": FETCHING, "at": None}
        if word is not None:
            # Where root could not take it, what lies here is looked through again.
            drop_release(directory)
            told |= {"state": word.code, "at": word.at}
        try:
            if word is None or not word.is_refused:
                ring = (setting(ops.read(), "corner") or {}).get("ring", "stable")
                is_whole = fetch_release(directory, trust, document, ring=ring, most_bytes=most_bytes)
                told["state"] = WAITING if is_whole and word is None else told["state"]
        except NoRoom:
            told["state"] = NO_ROOM
    if setting(ops.read(), UPDATE) != told:
        with ops.write() as database:
            store_setting(database, UPDATE, told)
    return told


def update_fault(ops: Database) -> dict[str, str | None]:
    """Say what became of the release announced, where a person must know."""
    told: ToldUpdate | None = setting(ops, UPDATE)
    return {} if told is None or told["state"] in (FETCHING, WAITING) else {str(told["state"]): told["at"]}


def is_quiet(ops: Store | None, *, idle_s: float, now: datetime) -> bool:
    """Tell whether the app may be started anew: nobody there for a while, a shorter one at night, and no paper under way."""
    if ops is None:
        return True
    if ops.read().execute("select 1 from print_job where state in ('queued', 'sending', 'sent') limit 1").fetchone():
        return False
    try:
        hour = now.astimezone(ZoneInfo(corner(ops.read()).time_zone)).hour
    except NotFound:
        return True
    is_night = hour >= NIGHT[0] or hour < NIGHT[1]
    return idle_s >= (NIGHT_IDLE_S if is_night else DAY_IDLE_S)


own_option = click.option(
    "--own", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False), help="Root's own folder."
)


@click.command("pin-releases")
@directory_option
@own_option
def pin_releases_command(directory: Path, own: Path) -> None:
    """Let root take releases from the HQ this kiosk is enrolled at: `update trust` calls it."""
    click.echo(f"releases are taken from HQ by its root {pin_release_root(directory, own)}")


@click.command("take-release")
@directory_option
@own_option
@click.option("--into", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False), help="An empty folder.")
def take_release_command(directory: Path, own: Path, into: Path) -> None:
    """Verify the release the app fetched by what root trusts, and copy it: `update` calls it."""
    release = take_release(directory, own, into, now=clock.now())
    click.echo(release.version if release else "none")
