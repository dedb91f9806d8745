"""Running seeds: faults for a while, then rest, then the question whether everything holds; one seed is one history."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from random import Random

from demo.simulator import faults, invariants, upkeep
from demo.simulator.disk import clear
from demo.simulator.kiosk import SimulatedKiosk
from demo.simulator.network import Weather
from demo.simulator.stand_ins import standing_in
from demo.simulator.template import scratch, template
from demo.simulator.watch import watching
from demo.simulator.world import Violation, World
from sync.corner.rounds import NAMED_REFUSALS, RoundReport

STEPS = 7
FLEET = (2, 2, 2, 2, 3)
LAST_LOOKS = 0.4
"""The share of histories at whose end one more round must move nothing."""
PASSES = 16
"""So many rounds of everybody are more than enough to come to rest; a world that still moves then never will."""


@dataclass(frozen=True, slots=True)
class History:
    """How a seed went: its history, the history's hash, and what was violated, if anything."""

    seed: int
    hash: str
    trace: tuple[str, ...]
    violation: str | None


def run_seed(seed: int, *, steps: int = STEPS) -> History:
    """Run one seed from the template to rest."""
    made = template()
    root = scratch()
    random = Random(seed)
    world = World(random, root, made, kiosks=random.choice(FLEET))
    world.meanwhile = lambda: _maybe_meanwhile(world)
    violation = None
    try:
        with (
            _quiet(),
            _garbage_kept(),
            standing_in(Random(random.getrandbits(64)), world.now),
            watching(world.machines, lambda: world.time),
        ):
            world.open()
            try:
                _live(world, steps)
                _rest(world)
                invariants.at_rest(world)
            except Violation as found:
                violation = str(found)
            finally:
                world.close()
    finally:
        clear(root)
    return History(seed, world.hash(), tuple(world.trace), violation)


def run_seeds(seeds: Iterable[int], *, steps: int = STEPS, jobs: int = 1) -> Iterator[History]:
    """Run many seeds, in `jobs` processes, and yield their outcomes in order."""
    if jobs == 1:
        yield from (run_seed(seed, steps=steps) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(partial(run_seed, steps=steps), seeds, chunksize=4)


def _live(world: World, steps: int) -> None:
    for kiosk in world.kiosks:
        faults.set_weather(world, kiosk)
    for world.step in range(1, steps + 1):
        world.pass_time(timedelta(seconds=world.random.choice((1, 60, 3_600, 40_000))))
        _deliver(world)
        faults.draw(world, faults.ACTIONS)(world)
        _look_around(world)


def _rest(world: World) -> None:
    """Let the faults end and everybody go on until nothing moves any more; operators help where a kiosk cannot help itself."""
    world.step += 1
    world.say("the faults end")
    world.meanwhile = _nothing
    world.hq.is_down = False
    for kiosk in world.kiosks:
        kiosk.link.weather = Weather()
    for machine in world.machines:
        machine.countdown = machine.room = None
    while world.later:
        _deliver(world)
    for number in range(PASSES):
        world.pass_time(timedelta(minutes=15) if number < PASSES / 2 else timedelta(days=1))
        upkeep.judge(world)
        upkeep.keep_house(world)
        world.say(f"hq publishes {world.at_hq('publish', world.hq.publish)}")
        documents = _corner_documents(world)
        reports = [(kiosk, world.round(kiosk)) for kiosk in world.kiosks]
        _look_around(world)
        for kiosk, report in reports:
            if report is not None and _needs_enrolment(report):
                world.enrol(kiosk)
        # What rounds did not notice the first night does; the rounds after it make that good.
        wrong = [faults.read_through(world, kiosk) for kiosk in world.kiosks] if number == 0 else []
        # A new corner document, and the ring in it, counts from the next round on.
        is_told = documents == _corner_documents(world)
        if all(_is_well(report) for _, report in reports) and is_told and not any(wrong):
            break
    else:
        raise world.fail("the world does not come to rest")
    upkeep.judge(world)
    if world.random.random() < LAST_LOOKS:
        _must_rest(world)


def _must_rest(world: World) -> None:
    last = world.round(world.random.choice(world.kiosks))
    if last is None or not _is_well(last) or _has_moved(last):
        raise world.fail("a round after everything has arrived still moves something")


def _is_well(report: RoundReport | None) -> bool:
    return report is not None and not report.problems and (report.pushed is None or not report.pushed.pending)


def _corner_documents(world: World) -> list[str]:
    return [str(kiosk.setting("corner_sha256")) for kiosk in world.kiosks]


def _has_moved(report: RoundReport) -> bool:
    moved, pushed = report.moved, report.pushed
    return moved is None or moved.has_moved or (pushed is not None and pushed.sent > 0)


def _needs_enrolment(report: RoundReport) -> bool:
    """Tell whether HQ's console or the kiosk's counter would send an operator: a stream that forked, a key HQ does not know."""
    said = {(problem.data.get("status"), problem.data.get("code")) for problem in report.problems}
    return any(status == 401 or code in NAMED_REFUSALS for status, code in said)


def _deliver(world: World) -> None:
    waiting, world.later[:] = list(world.later), []
    for arrive in waiting:
        arrive()


def _look_around(world: World) -> None:
    invariants.after_hq(world)
    for kiosk in world.kiosks:
        _look(world, kiosk)


def _look(world: World, kiosk: SimulatedKiosk) -> None:
    invariants.after_step(world, kiosk)


def _maybe_meanwhile(world: World) -> None:
    if world.random.random() < 0.12:
        faults.draw(world, faults.MEANWHILE)(world)


def _nothing() -> None:
    """Nothing happens meanwhile."""


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """Collect no cycles during a seed, whose garbage is small and short of life."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the product's log off the screen: a bad link is business as usual here."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
