"""What people do with files: copies put in the place of what went on since, and a catalogue that rots or disappears."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.simulator.disk import Files
from demo.simulator.kiosk import SimulatedKiosk
from pos.db import connect, write

if TYPE_CHECKING:
    from demo.simulator.world import Backup, World

CENTRAL = ("marketplace.db", "marketplace.json")


def restore_hq(world: World, backup: Backup, how: str) -> None:
    """Put HQ's database back: among the newest files ("database"), or with the files of its time ("everything")."""
    world.say(f"hq is restored: {how}")
    central = {name: content for name, content in backup.files.items() if name.startswith(CENTRAL)}
    others = {
        "database": {name: content for name, content in world.hq.machine.files().items() if not name.startswith(CENTRAL)},
        "everything": backup.files,
    }[how]
    world.hq.machine.picture = {**others, **central}
    world.restart(world.hq.machine)
    del world.ledger.claims[backup.claims :]
    world.ledger.has_hq_forgotten = True
    world.ledger.has_hq_branched |= how == "everything"


def restore_records(world: World, kiosk: SimulatedKiosk, name: str) -> None:
    """Put a copy of a kiosk's records in their place; what they held since is lost, whoever holds it on paper."""
    before = {(key, slip.digits) for key, slip in kiosk.slips().items()}
    copy = kiosk.machine.files()
    kiosk.begin(_with_records(copy, copy[f"backup/{name}"]))
    kiosk.open()
    lost = before - {(key, slip.digits) for key, slip in kiosk.slips().items()}
    world.say(f"{kiosk.name} records are those of {name}: {len(lost)} slips lost")
    world.ledger.unheld |= {(kiosk.name, *key) for key, _ in lost}
    for paper in world.ledger.papers:
        if paper.corner_id == kiosk.name and (paper.key, paper.slip.digits) in lost:
            paper.is_lost = True


def spoil_catalog(world: World, kiosk: SimulatedKiosk, *, is_deleted: bool) -> None:
    """Delete a kiosk's catalogue while nothing runs, or let some of its bytes rot."""
    files = kiosk.machine.files()
    if "catalog.db" not in files:
        return
    kiosk.close()
    world.ledger.positions.pop(kiosk.name, None)
    files.pop("catalog.db-wal", None)
    content = bytearray(files.pop("catalog.db"))
    if not is_deleted:
        start = world.random.randrange(len(content))
        content[start : start + 4096] = world.random.randbytes(min(4096, len(content) - start))
        files["catalog.db"] = bytes(content)
    kiosk.machine.start(files)
    kiosk.rotten = None if is_deleted else (kiosk.machine.directory / "catalog.db").stat().st_ino
    kiosk.open()
    world.say(f"{kiosk.name} catalogue {'is deleted' if is_deleted else 'rots'}")


def edit_row(world: World, kiosk: SimulatedKiosk) -> int | None:
    """Change a price in a kiosk's catalogue behind its back, as rot or a helpful hand may, and return the listing."""
    if "catalog.db" not in kiosk.machine.files() or kiosk.is_rotten():
        return None
    kiosk.close()
    database = connect(kiosk.machine.directory / "catalog.db", durable=False)
    try:
        listings = [row[0] for row in database.execute("select listing_id from listing order by listing_id")]
        listing_id = int(world.random.choice(listings))
        with write(database):
            database.execute("update listing set price_cents = price_cents + 1 where listing_id = ?", [listing_id])
    finally:
        database.close()
        kiosk.open()
    world.ledger.edited.add(kiosk.name)
    world.say(f"{kiosk.name} listing {listing_id} is changed by hand")
    return listing_id


def _with_records(files: Files, records: bytes) -> Files:
    return {**{name: content for name, content in files.items() if not name.startswith("ops.db")}, "ops.db": records}
