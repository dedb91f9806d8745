"""What people do and what goes wrong, each with its weight: the seed draws from this table, step by step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from demo.simulator import trials, upkeep
from demo.simulator.business import change, reprice
from demo.simulator.disk import Crash
from demo.simulator.kiosk import DEAD, SimulatedKiosk
from demo.simulator.network import KINDS, Weather
from demo.simulator.restores import edit_row, restore_hq, restore_records, spoil_catalog

if TYPE_CHECKING:
    from demo.simulator.world import World

MOST_OPERATIONS = 40
"""A crash or a full disk comes within so many operations on the disk: a round that applies a segment makes about thirty."""


def customer(world: World) -> None:
    """A customer takes a slip away."""
    world.take_slip(_kiosk(world))


def clerk(world: World) -> None:
    """A clerk voids a slip of this corner."""
    kiosk = _kiosk(world)
    mine = [paper for paper in world.ledger.papers if paper.corner_id == kiosk.name and not paper.is_lost]
    if mine:
        number = world.random.choice(mine).slip.number
        if world.at_kiosk(kiosk, "void", lambda: kiosk.void(number)):
            world.say(f"{kiosk.name} voids {number}")


def one_round(world: World) -> None:
    """A kiosk talks to HQ."""
    world.round(_kiosk(world))


def every_round(world: World) -> None:
    """All kiosks talk to HQ, one after the other."""
    for kiosk in world.kiosks:
        world.round(kiosk)


def business(world: World) -> None:
    """HQ changes something, unpublished yet."""
    if what := world.at_hq("change", lambda: change(world.hq.engine, world.random)):
        world.say(f"hq changes {what}")


def publish(world: World) -> None:
    """HQ changes something and publishes."""
    business(world)
    number = world.at_hq("publish", world.hq.publish)
    world.say(f"hq publishes {number}")


def claim(world: World) -> None:
    """A customer orders from a slip, perhaps before its kiosk has told of it."""
    if not world.ledger.papers:
        return
    paper = world.random.choice(world.ledger.papers)
    answer = world.at_hq("claim", lambda: world.hq.claim(paper.slip.digits))
    if answer is not None:
        status, order_id = answer
        world.say(f"hq claim of {paper.slip.number}: {status}")
        if status == 303:
            world.ledger.claims.append((paper.key, order_id))


def night(world: World) -> None:
    """A kiosk reads its catalogue through."""
    read_through(world, _kiosk(world))


def read_through(world: World, kiosk: SimulatedKiosk) -> bool:
    """Let a kiosk read its catalogue through; return whether something was wrong, which only rot and hands can do."""
    wrong = world.at_kiosk(kiosk, "rescan", kiosk.rescan)
    if wrong:
        world.say(f"{kiosk.name} finds {', '.join(wrong)} wrong")
        if kiosk.name not in world.ledger.edited and kiosk.rotten is None:
            raise world.fail(f"{kiosk.name} holds rows that do not add up")
    return bool(wrong)


def weather(world: World) -> None:
    """A link gets worse or better."""
    set_weather(world, _kiosk(world))


def set_weather(world: World, kiosk: SimulatedKiosk) -> None:
    """Draw how a link is from now on."""
    kinds = KINDS if world.random.random() < 0.5 else tuple(world.random.sample(KINDS, 2))
    kiosk.link.weather = Weather(world.random.choice((0.0, 0.1, 0.3, 0.3, 1.0)), kinds)
    world.say(f"{kiosk.name} link {kiosk.link.weather.share:.0%} {'all' if kinds is KINDS else ', '.join(kinds)}")


def clock(world: World) -> None:
    """A kiosk's clock jumps, dies or is put right."""
    kiosk = _kiosk(world)
    years = timedelta(days=world.random.choice((-3650, 3650)))
    minutes = timedelta(minutes=world.random.randint(-90, 90))
    kiosk.offset = world.random.choice((years, minutes, DEAD - world.time, timedelta()))
    world.say(f"{kiosk.name} clock is off by {kiosk.offset}")


def power_cut(world: World) -> None:
    """A kiosk ends while nothing goes on, by a power cut or a kill."""
    kiosk = _kiosk(world)
    is_cut = world.random.random() < 0.7
    world.say(f"{kiosk.name} {'loses power' if is_cut else 'is killed'}")
    world.at_kiosk(kiosk, "at rest", lambda: _raise(kiosk.machine.crash_now(power_cut=is_cut)))


def crash(world: World) -> None:
    """A kiosk ends in the middle of something."""
    kiosk = _kiosk(world)
    kiosk.machine.crash_in(world.random.randint(1, MOST_OPERATIONS), power_cut=world.random.random() < 0.5)
    world.random.choice((world.round, world.round, world.take_slip))(kiosk)
    if kiosk.machine.countdown is not None:
        world.at_kiosk(kiosk, "at rest", lambda: _raise(kiosk.machine.crash_now(power_cut=kiosk.machine.is_power_cut)))


def hq_crash(world: World) -> None:
    """HQ ends in the middle of publishing, or of answering somebody."""
    machine = world.hq.machine
    machine.crash_in(world.random.randint(1, MOST_OPERATIONS), power_cut=world.random.random() < 0.5)
    world.random.choice(HQ_ACTS)(world)
    machine.countdown = None


def disk_full(world: World) -> None:
    """A kiosk's disk fills up during a few things, then somebody makes room."""
    kiosk = _kiosk(world)
    kiosk.machine.room = world.random.randint(0, MOST_OPERATIONS)
    world.say(f"{kiosk.name} has room for {kiosk.machine.room} writes")
    for _ in range(world.random.randint(1, 3)):
        world.random.choice((world.round, world.take_slip))(kiosk)
    kiosk.machine.room = None


def hq_disk_full(world: World) -> None:
    """HQ's disk fills up while it publishes and answers."""
    world.hq.machine.room = world.random.randint(0, MOST_OPERATIONS)
    world.say(f"hq has room for {world.hq.machine.room} writes")
    world.random.choice((publish, one_round))(world)
    world.hq.machine.room = None


def hq_down(world: World) -> None:
    """HQ goes away for a while, or comes back."""
    world.hq.is_down = not world.hq.is_down
    world.say(f"hq is {'down' if world.hq.is_down else 'back'}")


def hq_backup(world: World) -> None:
    """Somebody copies HQ's files."""
    if not world.hq.is_down:
        world.say("hq is copied")
        world.keep_backup()


def hq_restored(world: World) -> None:
    """HQ's database is replaced by a copy; its static files are what they were, as old as the database, or gone."""
    if world.hq.is_down:
        return
    how = world.random.choice(("database", "everything"))
    restore_hq(world, world.random.choice(world.backups), how)


def records_restored(world: World) -> None:
    """A kiosk's records are replaced by an older copy; most operators enrol the kiosk again then, as they should."""
    kiosk = _kiosk(world)
    copies = kiosk.backups()
    if not copies:
        return
    restore_records(world, kiosk, world.random.choice(copies))
    if world.random.random() < 0.7:
        world.enrol(kiosk)


def catalog_lost(world: World) -> None:
    """A kiosk's catalogue is deleted, or bytes of it rot."""
    kiosk = _kiosk(world)
    spoil_catalog(world, kiosk, is_deleted=world.random.random() < 0.3)


def row_edited(world: World) -> None:
    """A row of a kiosk's catalogue changes behind its back; HQ changes that row too, which is when the kiosk must notice."""
    kiosk = _kiosk(world)
    listing_id = None if world.hq.is_down else edit_row(world, kiosk)
    if listing_id is not None:
        world.at_hq("reprice", lambda: reprice(world.hq.engine, listing_id, world.random.randint(100, 900) * 100))
        world.say(f"hq changes listing {listing_id}")


def enrol(world: World) -> None:
    """An operator enrols a kiosk again, perhaps over a bad link."""
    world.enrol(_kiosk(world))


HQ_ACTS = (
    publish,
    publish,
    claim,
    one_round,
    upkeep.judge,
    upkeep.keep_house,
    upkeep.rotate,
    trials.try_out,
    trials.try_out,
    trials.widen,
    trials.promote,
    trials.halt,
    trials.roll_back,
)

Action = Callable[["World"], None]

ACTIONS: tuple[tuple[int, Action], ...] = (
    (24, customer),
    (5, clerk),
    (24, one_round),
    (8, every_round),
    (5, business),
    (18, publish),
    (8, claim),
    (10, weather),
    (4, clock),
    (5, power_cut),
    (8, crash),
    (6, hq_crash),
    (3, disk_full),
    (2, hq_disk_full),
    (2, hq_down),
    (3, hq_backup),
    (2, hq_restored),
    (2, records_restored),
    (2, catalog_lost),
    (4, row_edited),
    (1, enrol),
    (2, night),
    (6, upkeep.judge),
    (3, upkeep.keep_house),
    (1, upkeep.weeks),
    (2, upkeep.rotate),
    (2, upkeep.revoke),
    (4, trials.ring),
    (10, trials.try_out),
    (3, trials.widen),
    (3, trials.promote),
    (3, trials.halt),
    (2, trials.roll_back),
)
MEANWHILE: tuple[tuple[int, Action], ...] = (
    (6, customer),
    (2, clerk),
    (4, publish),
    (3, one_round),
    (2, claim),
    (2, hq_crash),
    (2, upkeep.judge),
)
"""What may happen while a kiosk waits for an answer; a second round of the same kiosk must find the first one at work."""


def draw(world: World, table: tuple[tuple[int, Action], ...]) -> Action:
    """Draw what happens next."""
    (action,) = world.random.choices([action for _, action in table], [weight for weight, _ in table])
    return action


def _kiosk(world: World) -> SimulatedKiosk:
    return world.random.choice(world.kiosks)


def _raise(crash: Crash) -> None:
    raise crash
