"""What HQ does with rings: trials opened, widened, promoted and halted, and publications taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.simulator.business import change
from sync.heads import RINGS
from sync.hq.trials import whole_ring

if TYPE_CHECKING:
    from demo.simulator.world import World

PERCENTS = (10, 50, 100)


def ring(world: World) -> None:
    """A corner is put into a ring; it hears of it with its next message."""
    kiosk, name = world.random.choice(world.kiosks), world.random.choice(RINGS)
    if world.at_hq("ring", lambda: world.hq.set_ring(kiosk.name, name)):
        world.say(f"hq puts {kiosk.name} into {name}")


def try_out(world: World) -> None:
    """HQ changes something and publishes it to a ring, or a share of one: a trial opens, or goes on with more."""
    if what := world.at_hq("change", lambda: change(world.hq.engine, world.random)):
        world.say(f"hq changes {what}")
    name, percent = world.random.choice(RINGS), world.random.choice(PERCENTS)
    number = world.at_hq("trial", lambda: world.hq.publish(shares=whole_ring(name, percent * 100)))
    world.say(f"hq tries out {number} in {percent} % of {name}")


def widen(world: World) -> None:
    """HQ gives the trial to others: more, fewer, or everybody, which promotes it."""
    name, percent = world.random.choice((*RINGS, RINGS[-1])), world.random.choice((0, *PERCENTS))
    if world.at_hq("widen", lambda: world.hq.advance(name, percent)):
        world.say(f"hq gives the trial to {percent} % of {name}")


def promote(world: World) -> None:
    """HQ gives everybody what is on trial."""
    if world.at_hq("promote", lambda: world.hq.advance(RINGS[-1], 100)):
        world.say("hq promotes the trial")


def halt(world: World) -> None:
    """HQ takes the trial back."""
    if number := world.at_hq("halt", world.hq.halt):
        world.say(f"hq halts the trial: {number}")


def roll_back(world: World) -> None:
    """HQ goes back to an earlier publication, by publishing its rows again."""
    numbers = world.at_hq("history", world.hq.publications)
    if numbers:
        wanted = world.random.choice(numbers)
        number = world.at_hq("rollback", lambda: world.hq.roll_back(wanted))
        world.say(f"hq goes back to {wanted}: {number}")
