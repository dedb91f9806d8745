"""What must hold: after every step and while a round is under way, after every crash, and once the world has come to rest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.simulator.business import MARKET
from demo.simulator.kiosk import Position, SimulatedKiosk
from marketplace.publishing.publications import current_rows
from pos import outbox
from pos.catalog import CHANNELS, TABLES
from pos.db import DatabaseError, connect
from pos.slips import Slip
from sync.channels import damaged_channels
from sync.heads import RINGS
from sync.hq.log import OWN_TRACK, held_rows
from sync.messages import corner_sha256

if TYPE_CHECKING:
    from demo.simulator.world import HeldSlip, World


Key = tuple[str, int]

RESERVED = """
    select order_line.listing_id, order_line.quantity
    from order_line join customer_order on customer_order.order_id = order_line.order_id and customer_order.state = 'open'
    where order_line.listing_id is not null and order_line.basis <> 'dropped'
    union all
    select listing_id, 1 from unit where state in ('to_accept', 'accepted')
"""


def after_step(world: World, kiosk: SimulatedKiosk) -> None:
    """A kiosk that once had a catalogue can read it, and stands no lower than before.

    Raises: Violation.
    """
    before = world.ledger.positions.get(kiosk.name)
    try:
        position = kiosk.look()
    except (FileNotFoundError, DatabaseError) as problem:
        if before is not None and not kiosk.is_rotten():
            raise world.fail(f"{kiosk.name} cannot read its catalogue any more: {problem!r}") from problem
        return
    if kiosk.is_rotten() or position == before:
        return
    _know_roots(world, kiosk.name, position)
    if before is not None:
        _must_go_on(world, kiosk.name, before, position)
    world.ledger.positions[kiosk.name] = position
    world.ledger.seen.setdefault(kiosk.name, []).append(position)


def after_restart(world: World, kiosk: SimulatedKiosk) -> None:
    """Whatever the crash: every slip handed over is on record, and the catalogue is one the kiosk held before.

    Raises: Violation.
    """
    known = kiosk.slips()
    for paper in world.ledger.papers:
        if paper.corner_id != kiosk.name or paper.is_lost:
            continue
        if paper.key not in known or known[paper.key].token != paper.slip.token:
            raise world.fail(f"{kiosk.name} lost slip {paper.slip.number}, which a customer holds")
    if kiosk.name not in world.ledger.positions or kiosk.is_rotten():
        return
    try:
        position = kiosk.look()
    except (FileNotFoundError, DatabaseError) as problem:
        raise world.fail(f"{kiosk.name} lost its catalogue in a crash: {problem!r}") from problem
    # A catalogue may fall back to an earlier commit at a power cut; it never shows a mixture.
    if position in world.ledger.seen.get(kiosk.name, []):
        world.ledger.positions[kiosk.name] = position
    else:
        after_step(world, kiosk)


def after_hq(world: World) -> None:
    """HQ has whatever the heads it announces lead to. Raises: Violation."""
    if missing := world.hq.missing_blobs():
        raise world.fail(f"HQ serves a head that names {len(missing)} blobs it does not have")


def at_rest(world: World) -> None:
    """Everything arrived, once, and every copy is HQ's. Raises: Violation."""
    try:
        problems = list(_problems(world))
    except DatabaseError as problem:
        raise world.fail(f"a file cannot be read at rest: {problem!r}") from problem
    if problems:
        raise world.fail("; ".join(problems))


def _know_roots(world: World, who: str, position: Position) -> None:
    """One version of an epoch has one root, whoever holds it."""
    if world.ledger.has_hq_branched:
        return
    for name, (epoch, version, root) in position.channels.items():
        if world.ledger.roots.setdefault((name, epoch, version), root) != root:
            raise world.fail(f"{who} holds {name} {version} with another root than others")


def _must_go_on(world: World, who: str, before: Position, position: Position) -> None:
    """Within an epoch versions rise, and on a track publications do; HQ under other keys than before may count anew."""
    if position.era != before.era and world.ledger.has_hq_forgotten:
        return
    for name, (epoch, version, _) in position.channels.items():
        if before.channels[name][0] == epoch and version < before.channels[name][1]:
            raise world.fail(f"{who} went back in {name} from {before.channels[name][1]} to {version}")
    if (position.track, position.era) == (before.track, before.era) and position.publication < before.publication:
        raise world.fail(f"{who} went back from publication {before.publication} to {position.publication}")


def _problems(world: World) -> Iterator[str]:
    yield from _record_problems(world)
    yield from _publication_problems(world)
    yield from _order_problems(world)
    for kiosk in world.kiosks:
        yield from _catalog_problems(world, kiosk)
        yield from _stream_problems(world, kiosk)
        yield from _slip_problems(world, kiosk)


def _publication_problems(world: World) -> Iterator[str]:
    """Publications are numbered without gaps but where HQ forgot some, and versions within an epoch too."""
    numbers = world.hq.publications()
    for earlier, later in pairwise(numbers):
        if later != earlier + 1 and not world.ledger.has_hq_forgotten:
            yield f"publication {earlier} is followed by {later}"
    tracks = world.hq.tracks()
    for before, after in pairwise(tracks):
        for name in CHANNELS:
            first, second = before.channels[name], after.channels[name]
            is_next = second.version == first.version + 1 or (second.version, second.root) == (first.version, first.root)
            if first.epoch == second.epoch and not is_next:
                yield f"{name} {first.version} is followed by {second.version} in publication {after.publication}"
    trial, heads = world.hq.trial(), world.hq.heads()
    for ring in RINGS:
        head = heads[ring]
        if head.track != tracks[-1]:
            yield f"the head of {ring} is not the last publication on record"
        share_bp = trial.shares.get(ring, 0) if trial is not None else 0
        if (head.trial.share_bp if head.trial else 0) != share_bp:
            yield f"the head of {ring} gives a trial to {head.trial and head.trial.share_bp}, not {share_bp}"


def _record_problems(world: World) -> Iterator[str]:
    """What HQ publishes is what its business tables say, but for the rows that are held back; a trial has its own of these."""
    yield from _replica_problems(world, world.hq.replica(), None)
    if world.hq.trial() is not None:
        yield from _replica_problems(world, world.hq.trial_replica(), OWN_TRACK)


def _replica_problems(world: World, path: Path, held_by: str | None) -> Iterator[str]:
    replica = connect(path, durable=False)
    try:
        with world.hq.engine.connect() as connection:
            read = current_rows(MARKET)
            held = held_rows(connection, MARKET, trial_id=held_by)
            for table in TABLES:
                apart = held.get(table.name, {})
                wanted = {row[0]: row for row in read(connection, table.name, None)}
                query = f'select {", ".join(table.columns)} from "{table.name}"'
                published = {row[0]: tuple(row) for row in replica.execute(query)}
                differing = {key for key in wanted.keys() | published.keys() if wanted.get(key) != published.get(key)}
                if unpublished := {key for key in differing if key not in apart or apart[key] != wanted.get(key)}:
                    yield f"{path.name}: changes of {table.name} {sorted(unpublished, key=str)} were never published"
    finally:
        replica.close()


def _catalog_problems(world: World, kiosk: SimulatedKiosk) -> Iterator[str]:
    """A kiosk stands where the track of its ring and share stands."""
    track = world.hq.heads()[world.hq.ring(kiosk.name)].track_for(kiosk.name)
    database = kiosk.catalog.read()
    wanted = {name: (channel.epoch, channel.version, channel.root) for name, channel in track.channels.items()}
    held = kiosk.look()
    if (held.channels, held.publication, held.track) != (wanted, track.publication, track.name):
        yield f"{kiosk.name} stands at {held.track} {held.publication}, HQ at {track.name} {track.publication}"
    if damaged := damaged_channels(database):
        yield f"{kiosk.name}: rows of {damaged} do not add up to their root"
    if database.execute("pragma quick_check(1)").fetchone()[0] != "ok":
        yield f"{kiosk.name}: catalog.db is damaged"


def _stream_problems(world: World, kiosk: SimulatedKiosk) -> Iterator[str]:
    """The chain is whole, HQ holds exactly it, and nothing of it waits."""
    columns = "seq, kind, body, sha256, prev"
    events = kiosk.ops.read().execute(f"select {columns} from outbox order by seq").fetchall()
    prev = outbox.CHAIN_START
    for place, (seq, kind, body, sha256, said) in enumerate(events, start=1):
        if (seq, said, sha256) != (place, prev, outbox.link(seq, kind, body, prev)):
            yield f"{kiosk.name}: the chain breaks at event {place}"
        prev = sha256
    key = {"corner_id": kiosk.name, "key_id": kiosk.setting("key_id"), "stream": kiosk.setting("stream")}
    where = "where corner_id = :corner_id and key_id = :key_id and stream = :stream"
    stored = [tuple(each.values()) for each in world.hq.rows(f"select {columns} from inbox {where} order by seq", **key)]
    if stored != [tuple(event) for event in events]:
        yield f"{kiosk.name}: HQ holds {len(stored)} events of this stream, the kiosk {len(events)}, and they differ"
    if kiosk.setting("acked") != len(events):
        yield f"{kiosk.name}: {kiosk.setting('acked')} of {len(events)} events are acknowledged"
    if world.hq.rows("select 1 as one from inbox where state = 'new'"):
        yield "HQ holds events that nobody judged"
    if corner_sha256(world.hq.corner_document(kiosk.name)) != kiosk.setting("corner_sha256"):
        yield f"{kiosk.name} has not heard of its new corner document"


def _slip_problems(world: World, kiosk: SimulatedKiosk) -> Iterator[str]:
    """Every slip is at HQ once: those of the present records as slips, those lost with older records at least as addresses."""
    at_hq = {
        (each["key_id"], each["counter"]): each for each in world.hq.rows("select * from slip where corner_id = :c", c=kiosk.name)
    }
    known = kiosk.slips()
    papers = [paper for paper in world.ledger.papers if paper.corner_id == kiosk.name]
    lost = {paper.key: paper for paper in papers if paper.is_lost}
    dead = {
        json.loads(each["body"]).get("digits")
        for each in world.hq.rows("select body from inbox where corner_id = :c and state = 'dead'", c=kiosk.name)
    }
    cut_offs = world.hq.revocations()
    withdrawn = {key for key in known if key[1] >= cut_offs.get(key[0], key[1] + 1)}
    excused = {known[key].digits for key in withdrawn}
    for key, slip in known.items():
        recorded = at_hq.get(key)
        if recorded is not None and recorded["digits"] == slip.digits:
            if recorded["difference"] is not None and _is_reckonable(world, kiosk, slip):
                yield f"{kiosk.name}: HQ reckons slip {slip.number} otherwise: {recorded['difference']}"
        elif key in lost and lost[key].slip.digits != slip.digits and slip.digits in dead:
            # Two slips under one number, made on records that were put back and not enrolled again: HQ says so.
            excused.add(slip.digits)
        elif key not in withdrawn:
            yield f"{kiosk.name}: slip {slip.number} is not at HQ"
    yield from _paper_problems(world, kiosk, papers, known, withdrawn)
    if extra := [key for key in at_hq if key not in known and key not in lost and not _is_of_lost_records(world, kiosk, key)]:
        yield f"{kiosk.name}: HQ holds slips nobody made: {extra}"
    if unexplained := dead - excused:
        yield f"{kiosk.name}: {len(unexplained)} events are set aside at HQ: {_reasons(world, kiosk)}"


def _paper_problems(
    world: World, kiosk: SimulatedKiosk, papers: list[HeldSlip], known: Mapping[Key, Slip], withdrawn: Set[Key]
) -> Iterator[str]:
    """What customers hold is on record and opens; a slip of a withdrawn key does not, unless it was ordered before."""
    for paper in papers:
        if not paper.is_lost and paper.key not in known:
            yield f"{kiosk.name}: slip {paper.slip.number}, which a customer holds, is on no record"
        if paper.key not in withdrawn and not paper.is_lost and not world.hq.opens(paper.slip.digits):
            yield f"{kiosk.name}: the address of slip {paper.slip.number} does not open"


def _is_reckonable(world: World, kiosk: SimulatedKiosk, slip: Slip) -> bool:
    """Tell whether HQ can know the prices of a slip's moment: its history is whole, and the kiosk knew the time."""
    is_known = not world.ledger.has_hq_forgotten and kiosk.name not in world.ledger.edited
    return is_known and (slip.key_id, slip.counter) in world.ledger.dated


def _is_of_lost_records(world: World, kiosk: SimulatedKiosk, key: tuple[str, int]) -> bool:
    """Tell whether a slip may have been made by a process that ended before it handed it over, on records since replaced."""
    return (kiosk.name, *key) in world.ledger.unheld


def _reasons(world: World, kiosk: SimulatedKiosk) -> Any:
    found = world.hq.rows("select seq, kind, reason from inbox where corner_id = :c and state = 'dead'", c=kiosk.name)
    return [tuple(each.values()) for each in found]


def _order_problems(world: World) -> Iterator[str]:
    """A claim is an order for good, and units are reserved for orders alone."""
    claims = {(row["key_id"], row["counter"]): row["order_id"] for row in world.hq.rows("select * from claim")}
    for key, order_id in world.ledger.claims:
        if claims.get(key) != order_id:
            yield f"the order {order_id} of slip {key} is gone"
    orders = [row["order_id"] for row in world.hq.rows("select order_id from customer_order")]
    if sorted(orders) != sorted(claims.values()):
        yield f"{len(orders)} orders for {len(claims)} claims"
    reserved: Counter[int] = Counter()
    for row in world.hq.rows(RESERVED):
        reserved[row["listing_id"]] += row["quantity"]
    for row in world.hq.rows("select listing_id, reserved from listing"):
        if row["reserved"] != reserved[row["listing_id"]]:
            yield f"listing {row['listing_id']} has {row['reserved']} units reserved for {reserved[row['listing_id']]} ordered"
