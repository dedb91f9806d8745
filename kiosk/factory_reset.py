"""`comptoir kiosk factory-reset`: make a device nobody's. What HQ has not heard is sent or saved first, then nothing stays.

Invariant: no slip and no event goes before HQ has it or a copy of it lies elsewhere; from the first file on there is no key,
and a reset cut short goes on where it was.
"""

from __future__ import annotations

import os
import shutil
from importlib.metadata import version
from pathlib import Path

import click

from kiosk.background import Rounds
from kiosk.directories import directory_option, open_records
from pos import clock, outbox
from pos.backups import save_copy
from pos.corners import corner
from pos.db import DatabaseError, Store, sync_folder
from pos.errors import Conflict, Invalid, NotFound, PosError, Unavailable
from pos.ops import setting
from sync.corner.client import Client
from sync.corner.media import MediaStore
from sync.locks import SERVER_FILE, hold_directory

BEGUN = "factory-reset"
"""The file that says a reset was confirmed and began: the records that could be asked may be gone already."""


@click.command("factory-reset")
@directory_option
@click.option("--corner", "corner_id", required=True, help="The corner as `status` names it, to confirm that it is this one.")
@click.option(
    "--save",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Where a copy of the records goes: a memory stick.",
)
def factory_reset_command(directory: Path, corner_id: str, *, save: Path | None) -> None:
    """Wipe records, key and catalogue; what HQ has not heard is sent, or saved with --save, before."""
    if not directory.is_dir():
        raise NotFound(f"no kiosk in {directory}")
    with hold_directory(directory, doing="a factory reset"):
        if not (directory / BEGUN).exists():
            _check(directory, corner_id, save)
            (directory / BEGUN).touch(mode=0o600)
            sync_folder(directory)
        _wipe(directory)
    click.echo("nothing of the corner is left here; withdraw the device at HQ, and enrol it where it goes next")


def _check(directory: Path, corner_id: str, save: Path | None) -> None:
    """Make sure that it is the corner meant, and that nothing is lost.

    Raises: Invalid, Conflict, NotFound, RecordsDamaged, OSError.
    """
    try:
        store = open_records(directory)
        own, waiting = corner(store.read()).corner_id, _send(directory, store)
    except (Unavailable, DatabaseError) as problem:
        if save is None:
            raise Conflict(f"the records cannot be read: save them as they are with --save DIR ({problem})") from problem
        click.echo(f"saved as they are to {_save_files(directory, save)}")
        return
    if own != corner_id:
        raise Invalid(f"this is corner {own}, not {corner_id}; nothing was changed")
    if save is not None:
        name = f"comptoir-{own}-{clock.to_text(clock.now()).replace(':', '-')}.db"
        click.echo(f"saved to {save_copy(store.path, save / name)}")
    elif waiting:
        raise Conflict(
            f"{waiting} events never reached HQ: connect the network, or save them with --save DIR; nothing was changed"
        )
    store.close()


def _send(directory: Path, store: Store) -> int:
    """Send what waits, once, and return how many events HQ still has not acknowledged."""
    url = setting(store.read(), "marketplace_url")
    if _waiting(store) and url is not None:
        rounds = Rounds(
            directory,
            Store(directory / "catalog.db", durable=False),
            store,
            MediaStore(directory / "media"),
            version("comptoir"),
        )
        try:
            rounds.run(Client(url))
        except (PosError, DatabaseError, OSError) as problem:
            click.echo(f"HQ was not reached: {problem}", err=True)
    return _waiting(store)


def _waiting(store: Store) -> int:
    pending, _ = outbox.depth(store.read(), acked=setting(store.read(), "acked") or 0)
    return pending


def _save_files(directory: Path, save: Path) -> Path:
    """Copy records that cannot be read, with their log, to a folder of their own."""
    place = save / f"comptoir-{clock.to_text(clock.now()).replace(':', '-')}"
    place.mkdir(mode=0o700)
    for path in directory.glob("ops.db*"):
        shutil.copyfile(path, place / path.name)
    for path in place.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(place)
    return place


def _wipe(directory: Path) -> None:
    """Delete everything in a directory: the key first, the word that a reset began last."""
    first = [path for path in directory.glob("device.key*") if path.is_file()]
    rest = [path for path in directory.iterdir() if path.name not in (BEGUN, SERVER_FILE) and path not in first]
    for path in [*first, *rest]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        sync_folder(directory)
    for name in (SERVER_FILE, BEGUN):
        (directory / name).unlink(missing_ok=True)
    sync_folder(directory)
