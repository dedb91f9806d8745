"""What keeps HQ going: judging, housekeeping, keys replaced, devices withdrawn, and weeks without news."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demo.simulator.world import World

MOST_WEEKS = 2
"""A device that was replaced may deliver for 90 days: a history is shorter than that."""


def judge(world: World) -> None:
    """The thread beside the requests judges what waits."""
    judged = world.at_hq("judge", world.hq.judge)
    world.say(f"hq judges {judged}")


def keep_house(world: World) -> None:
    """The same thread signs anew, halts failing trials and sweeps."""
    world.at_hq("house", world.hq.keep_house)
    world.say("hq keeps house")


def weeks(world: World) -> None:
    """Nothing happens for so long that signatures run out and replaced files may go."""
    if world.ledger.weeks < MOST_WEEKS:
        world.ledger.weeks += 1
        world.pass_time(timedelta(days=world.random.choice((4, 8, 31))))
        world.say("time goes by")
        if world.random.random() < 0.7:
            keep_house(world)


def rotate(world: World) -> None:
    """HQ replaces its online keys; what stood in a copy from before would be signed by nobody."""
    version = world.at_hq("rotate", lambda: world.hq.rotate(new_root_keys=world.random.random() < 0.3))
    world.say(f"hq has new keys: root {version}")
    if not world.hq.is_down:
        world.forget_backups()


def revoke(world: World) -> None:
    """HQ withdraws a kiosk's key from some counter on; most operators enrol the kiosk again."""
    kiosk = world.random.choice(world.kiosks)
    key_id = kiosk.setting("key_id")
    mine = [paper.slip.counter for paper in world.ledger.papers if paper.slip.key_id == key_id]
    from_counter = world.random.choice((None, None, *mine, *((max(mine) + 1,) if mine else ())))
    cut_off = world.at_hq("revoke", lambda: world.hq.revoke(key_id, from_counter=from_counter))
    if cut_off is not None:
        world.say(f"hq withdraws {key_id} of {kiosk.name} from {cut_off}")
        world.forget_backups()
        if world.random.random() < 0.5:
            world.enrol(kiosk)
