from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
import time_machine

from demo.paper import pictures
from demo.printer import VirtualPrinter
from kiosk.printing import paper, print_jobs, printers, transports
from kiosk.printing.installed import install
from kiosk.printing.print_jobs import Wanted
from kiosk.printing.printers import Deadlines
from kiosk.printing.profiles import PaperSetup, usual_paper
from kiosk.printing.slip_text import Code, Text
from kiosk.printing.workers import Workers
from pos.errors import DiskFull
from pos.ops import open_ops
from tests import world
from tests.amounts import amount

IMPATIENT = Deadlines(connect_s=2.0, status_s=0.5, write_s=2.0, confirm_s=0.4, grace_s=0.1)
PATIENT = Deadlines(connect_s=5.0, status_s=5.0, write_s=10.0, confirm_s=20.0, grace_s=0.2)


@pytest.fixture
def virtual() -> Iterator[VirtualPrinter]:
    printer = VirtualPrinter(0, None)
    printer.start()
    yield printer
    printer.stop()


@pytest.fixture
def at_work(kiosk: world.Kiosk, virtual: VirtualPrinter) -> Iterator[Workers]:
    """The workers of a kiosk with one printer, at the kiosk's own moment."""
    kiosk.set_printer(virtual.port)
    workers = Workers(lambda: kiosk.ops, PATIENT)
    with time_machine.travel(world.NOW, tick=False):
        yield workers
        workers.stop(until=time.monotonic() + 5)


def words(text: str) -> Wanted:
    def render(_takes: PaperSetup, copy_no: int) -> bytes:
        return b"\x1b@" + f"{text}{f' copy {copy_no}' if copy_no else ''}\n".encode() + b"\x1bd\x06\x1dV\x00"

    return Wanted(kind="test", subject=text, requested_by="camille", render=render)


def ask(kiosk: world.Kiosk, workers: Workers, text: str, *, printer: str | None = None) -> int:
    with kiosk.ops_write() as ops:
        job_id = print_jobs.enqueue(ops, words(text), printer=printer, now=world.NOW)
    found = print_jobs.job(kiosk.ops.read(), job_id, now=world.NOW)
    assert found is not None
    workers.wake(found["printer"])
    return job_id


def state_of(kiosk: world.Kiosk, job_id: int) -> tuple[str, str]:
    found = print_jobs.job(kiosk.ops.read(), job_id, now=world.NOW)
    assert found is not None
    return found["state"], found["reason"]


def comes(is_so: Callable[[], bool]) -> bool:
    until = time.monotonic() + 15
    while not is_so() and time.monotonic() < until:
        time.sleep(0.02)
    return is_so()


def on_paper(virtual: VirtualPrinter) -> list[str]:
    return [paper.text.strip() for paper in virtual.papers().values()]


def test_papers_come_out_in_the_order_they_were_asked_for(kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter) -> None:
    jobs = [ask(kiosk, at_work, text) for text in ("one", "two", "three")]

    at_work.wait_ended(jobs[-1], 20)

    assert [state_of(kiosk, job) for job in jobs] == [("confirmed", "process_id")] * 3
    assert on_paper(virtual) == ["one", "two", "three"]


def test_a_slip_waits_for_no_other_paper_but_the_one_that_is_printed(kiosk: world.Kiosk, virtual: VirtualPrinter) -> None:
    kiosk.set_printer(virtual.port)
    with kiosk.ops_write() as ops:
        labels = [print_jobs.enqueue(ops, replace(words(text), kind="label"), now=world.NOW) for text in ("A1", "A2")]
        later = world.NOW + timedelta(seconds=3)
        slips = [print_jobs.enqueue(ops, replace(words(text), kind="slip"), now=later) for text in ("35-0001-H", "35-0002-F")]
        order = []
        while (job := print_jobs.next_job(ops, "printer", now=later)) is not None:
            order.append(job[0])
            print_jobs.begin(ops, job[0], "printer", b"ABCD")

    assert order == [*slips, *labels]


@pytest.mark.parametrize(("kind", "minutes", "is_printed"), [("slip", 6, False), ("label", 29, True), ("label", 31, False)])
def test_a_table_full_of_labels_may_take_its_printer_half_an_hour(
    kiosk: world.Kiosk, virtual: VirtualPrinter, kind: print_jobs.Kind, minutes: int, *, is_printed: bool
) -> None:
    kiosk.set_printer(virtual.port)
    later = world.NOW + timedelta(minutes=minutes)
    with kiosk.ops_write() as ops:
        print_jobs.enqueue(ops, replace(words("A1"), kind=kind), now=world.NOW)

    [waiting] = print_jobs.open_jobs(kiosk.ops.read(), now=later)
    assert (print_jobs.next_job(kiosk.ops.read(), "printer", now=later) is not None, waiting["is_offered"]) == (
        is_printed,
        not is_printed,
    )


@pytest.mark.parametrize("fault", ["paper_out", "cover_open"])
def test_what_cannot_be_printed_waits_unsent_and_comes_out_with_new_paper(
    kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter, fault: str
) -> None:
    setattr(virtual.faults, fault, True)
    job = ask(kiosk, at_work, "one")
    assert comes(lambda: state_of(kiosk, job) == ("queued", fault))
    assert kiosk.ops.read().execute("select process_id from print_job").fetchone() == (None,), "it was never begun"

    setattr(virtual.faults, fault, False)
    at_work.wake("printer")

    assert comes(lambda: state_of(kiosk, job) == ("confirmed", "process_id"))
    assert on_paper(virtual) == ["one"]


def test_after_a_refill_old_papers_are_offered_and_new_ones_printed(
    kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter
) -> None:
    virtual.faults.paper_out = True
    old = ask(kiosk, at_work, "old")
    assert comes(lambda: state_of(kiosk, old) == ("queued", "paper_out"))
    with kiosk.ops_write() as ops:
        ops.execute("update print_job set requested_at = '2026-11-22T14:20:00Z' where job_id = ?", [old])
    # What took up the old paper before it was old has given up once the new one is known to wait.
    new = ask(kiosk, at_work, "new")
    assert comes(lambda: state_of(kiosk, new) == ("queued", "paper_out"))
    virtual.faults.paper_out = False
    at_work.wake("printer")
    assert comes(lambda: state_of(kiosk, new)[0] == "confirmed")
    assert state_of(kiosk, old)[0] == "queued"
    assert [job["subject"] for job in print_jobs.open_jobs(kiosk.ops.read(), now=world.NOW) if job["is_offered"]] == ["old"]

    with kiosk.ops_write() as ops:
        assert print_jobs.enqueue(ops, words("old"), now=world.NOW) == old
    at_work.wake("printer")

    assert comes(lambda: state_of(kiosk, old)[0] == "confirmed")
    assert on_paper(virtual) == ["new", "old"]


def test_an_answer_that_comes_late_settles_the_paper(kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter) -> None:
    at_work.deadlines = IMPATIENT
    virtual.faults.late_s = 1.0
    job = ask(kiosk, at_work, "one")
    assert comes(lambda: state_of(kiosk, job)[0] == "uncertain")

    assert comes(lambda: state_of(kiosk, job) == ("confirmed", "late"))


def test_paper_that_runs_out_in_the_middle_is_settled_by_the_refill(
    kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter
) -> None:
    at_work.deadlines = IMPATIENT
    virtual.faults.paper_out_after = 20
    job = ask(kiosk, at_work, "one")
    assert comes(lambda: state_of(kiosk, job) == ("uncertain", "paper_out"))

    virtual.faults.paper_out, virtual.faults.paper_out_after = False, None

    assert comes(lambda: state_of(kiosk, job) == ("confirmed", "late"))
    assert on_paper(virtual) == ["one"], "what the printer held came out, once"


def test_the_id_of_an_earlier_paper_told_to_a_later_conversation_settles_the_earlier(
    kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter
) -> None:
    at_work.deadlines = IMPATIENT
    virtual.faults.knows_ids, virtual.faults.is_silent = False, True
    earlier = ask(kiosk, at_work, "one")
    assert comes(lambda: state_of(kiosk, earlier) == ("uncertain", "no_answer"))
    process_id = kiosk.ops.read().execute("select process_id from print_job").fetchone()[0]
    virtual.faults.is_silent, virtual.faults.knows_ids, virtual.faults.stale_id = False, True, process_id.encode()
    at_work.deadlines = PATIENT

    later = ask(kiosk, at_work, "two" * 40)

    assert comes(lambda: state_of(kiosk, later) == ("confirmed", "process_id"))
    assert comes(lambda: state_of(kiosk, earlier) == ("confirmed", "late"))


@pytest.mark.parametrize("fault", ["sends_noise", "slow_s", "prints_twice"])
def test_what_a_printer_does_on_its_own_makes_neither_a_second_job_nor_a_wrong_one(
    kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter, fault: str
) -> None:
    setattr(virtual.faults, fault, 0.05 if fault == "slow_s" else True)

    job = ask(kiosk, at_work, "one " * 100)

    assert comes(lambda: state_of(kiosk, job) == ("confirmed", "process_id"))
    assert len(virtual.papers()) == (2 if fault == "prints_twice" else 1)
    assert kiosk.ops.read().execute("select count(*) from print_job").fetchone() == (1,)


def test_a_silent_printer_leaves_the_paper_uncertain_and_nothing_repeats_it(
    kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter
) -> None:
    at_work.deadlines = IMPATIENT
    virtual.faults.is_silent = True
    first, second = ask(kiosk, at_work, "one"), ask(kiosk, at_work, "two")

    assert comes(lambda: state_of(kiosk, second)[0] == "uncertain")
    assert state_of(kiosk, first)[0] == "uncertain"
    assert comes(lambda: on_paper(virtual) == ["one", "two"])


def test_a_dead_printer_holds_up_no_other_and_its_papers_move_on_a_tap(
    kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter
) -> None:
    kiosk.set_printer(1, "dead")
    stuck, free = ask(kiosk, at_work, "one", printer="dead"), ask(kiosk, at_work, "two")
    assert comes(lambda: state_of(kiosk, free)[0] == "confirmed")
    assert comes(lambda: state_of(kiosk, stuck) == ("queued", "unreachable"))

    moved = ask(kiosk, at_work, "one", printer="printer")

    assert moved == stuck
    assert comes(lambda: state_of(kiosk, stuck)[0] == "confirmed")
    assert on_paper(virtual) == ["two", "one"]


@pytest.mark.parametrize("is_there", [True, False])
def test_looking_at_a_printer_that_cannot_print_neither_hurries_it_nor_waits_for_it(
    kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    virtual.faults.paper_out = True
    if not is_there:
        kiosk.set_printer(1)
    job = ask(kiosk, at_work, "one")
    assert comes(lambda: state_of(kiosk, job)[1] != "")
    opened = []
    connect = transports.connect
    monkeypatch.setattr(transports, "connect", lambda *args: opened.append(args) or connect(*args))

    for _ in range(3):
        at_work.look("printer", 5.0)
    time.sleep(0.5)

    assert 1 <= len(opened) <= 6


def test_a_printer_is_let_go_whatever_keeps_its_paper_from_being_written_down(
    kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise DiskFull("the disk is full")

    closed = []
    close = printers.Conversation.close
    monkeypatch.setattr(printers.Conversation, "close", lambda self: closed.append(self) or close(self))
    with monkeypatch.context() as broken:
        broken.setattr(print_jobs, "begin", full)
        job = ask(kiosk, at_work, "one")
        assert comes(lambda: len(closed) >= 1)
    at_work.wake("printer")

    assert comes(lambda: state_of(kiosk, job)[0] == "confirmed")
    assert on_paper(virtual) == ["one"]


def test_the_paper_after_a_torn_one_is_whole(kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter) -> None:
    at_work.deadlines = IMPATIENT
    virtual.faults.reset_after = 3000
    takes = usual_paper(80)
    with kiosk.ops_write() as ops:
        slip = paper.set_on(takes, [Text("torn"), Code("?")], "https://shop.example/k/" + "7" * 300)
        torn = print_jobs.enqueue(ops, replace(words("torn"), render=lambda _takes, _copy: slip), now=world.NOW)
    at_work.wake("printer")
    assert comes(lambda: state_of(kiosk, torn)[0] == "uncertain")
    virtual.faults.reset_after = None
    at_work.deadlines = PATIENT

    whole = ask(kiosk, at_work, "whole and readable")

    assert comes(lambda: state_of(kiosk, whole)[0] == "confirmed")
    assert on_paper(virtual)[-1].splitlines()[-1] == "whole and readable"


def test_white_dots_fill_a_picture_that_a_crash_tore_before_the_next_paper_alone(
    kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kiosk.ops_write() as ops:
        torn = print_jobs.enqueue(ops, words("torn"), now=world.NOW)
        print_jobs.begin(ops, torn, "printer", b"ABCD")
        print_jobs.settle_interrupted(ops, now=world.NOW)
    sent: list[bytes] = []
    deliver = printers.Conversation.deliver
    monkeypatch.setattr(
        printers.Conversation, "deliver", lambda self, data, *more: (sent.append(data), deliver(self, data, *more))[1]
    )
    first = ask(kiosk, at_work, "first")
    assert comes(lambda: state_of(kiosk, first)[0] == "confirmed")
    second = ask(kiosk, at_work, "second")
    assert comes(lambda: state_of(kiosk, second)[0] == "confirmed")

    half_a_strip = b"\x1dv0\x00\x48\x00\xc0\x00" + b"\xff" * 100
    assert [cut.text.strip() for cut in pictures(half_a_strip + sent[0])] == ["first"]
    assert sent[1].startswith(b"\x1b@")


def test_a_late_answer_is_heard_by_whoever_looks_at_a_quiet_printer(
    kiosk: world.Kiosk, at_work: Workers, virtual: VirtualPrinter
) -> None:
    with kiosk.ops_write() as ops:
        job = print_jobs.enqueue(ops, words("one"), now=world.NOW)
        print_jobs.begin(ops, job, "printer", b"ABCD")
        print_jobs.settle_interrupted(ops, now=world.NOW)
    virtual.faults.stale_id, virtual.faults.stale_after = b"ABCD", 0

    at_work.look("printer", 5.0)

    assert comes(lambda: state_of(kiosk, job) == ("confirmed", "late"))


def test_a_paper_asked_for_again_is_the_same_until_it_may_have_come_out(kiosk: world.Kiosk, virtual: VirtualPrinter) -> None:
    kiosk.set_printer(virtual.port)
    with kiosk.ops_write() as ops:
        jobs = [print_jobs.enqueue(ops, words("one"), now=world.NOW) for _ in range(3)]
        made = ops.execute("select bytes from print_job").fetchone()[0]
        assert print_jobs.enqueue(ops, replace(words("one"), render=words("other").render), now=world.NOW) == jobs[0]
        assert ops.execute("select bytes from print_job").fetchone()[0] != made, "what waits is made for the printer as it is now"
        print_jobs.drop(ops, jobs[0], now=world.NOW)
        jobs.append(print_jobs.enqueue(ops, words("one"), now=world.NOW))
        assert len(set(jobs)) == 1, "of a paper given up unsent nothing came out"
        print_jobs.begin(ops, jobs[0], "printer", b"ABCD")
        print_jobs.settle_interrupted(ops, now=world.NOW)
        print_jobs.settle_by_hand(ops, jobs[0], came_out=False, now=world.NOW)
        duplicate = print_jobs.enqueue(ops, words("one"), now=world.NOW)
        with pytest.raises(print_jobs.PrintSettled):
            print_jobs.settle_by_hand(ops, jobs[0], came_out=True, now=world.NOW)

    assert [tuple(row) for row in kiosk.ops.read().execute("select job_id, copy_no, state, reason from print_job")] == [
        (jobs[0], 0, "failed", "not_seen"),
        (duplicate, 1, "queued", ""),
    ]


def test_ten_thousand_waiting_papers_are_there_again_at_once_and_only_the_interrupted_one_is_uncertain(
    kiosk: world.Kiosk, virtual: VirtualPrinter
) -> None:
    kiosk.set_printer(virtual.port)
    with kiosk.ops_write() as ops:
        row = ("test", 0, "printer", "queued", "camille", "2026-11-22T14:32:00Z", b"\x1b@" * 200)
        ops.conn.executemany(
            """
            insert into print_job (subject, kind, copy_no, printer, state, requested_by, requested_at, bytes)
            values (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [(str(number), *row) for number in range(10_000)],
        )
        ops.execute("update print_job set state = 'sending' where job_id = 5000")
    kiosk.ops.close()
    began = time.monotonic()

    store = open_ops(kiosk.directory / "ops.db")
    with store.write() as ops:
        print_jobs.settle_interrupted(ops, now=world.NOW)
    waiting = print_jobs.next_job(store.read(), "printer", now=world.NOW)

    assert waiting is not None
    assert time.monotonic() - began < 5, "a second on a quiet machine"
    states = dict(store.read().execute("select state, count(*) from print_job group by state").fetchall())
    store.close()
    assert states == {"queued": 9_999, "uncertain": 1}


@pytest.mark.long
def test_a_kiosk_killed_at_any_statement_or_byte_loses_no_paper_and_repeats_none(
    kiosk: world.Kiosk, virtual: VirtualPrinter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.printer._MOST_PAPERS", 2_000)
    kiosk.set_printer(virtual.port)
    kiosk.catalog.close()
    fork, chance = multiprocessing.get_context("fork"), random.Random(12)
    jobs = []
    events = 120
    for number in range(amount("kiosks killed in mid-print")):
        with kiosk.ops_write() as ops:
            jobs.append(print_jobs.enqueue(ops, words(f"<{number}>"), now=world.NOW))
        kiosk.ops.close()
        child = fork.Process(target=print_and_die, args=(kiosk.directory, jobs[-1], chance.randrange(events)))
        child.start()
        child.join()
        assert child.exitcode in (0, -signal.SIGKILL)
        with kiosk.ops_write() as ops:
            print_jobs.settle_interrupted(ops, now=world.NOW)
    workers = Workers(lambda: kiosk.ops, PATIENT)
    with time_machine.travel(world.NOW, tick=False):
        workers.wake("printer")
        assert comes(lambda: all(state_of(kiosk, job)[0] in ("confirmed", "uncertain") for job in jobs))
        workers.stop(until=time.monotonic() + 5)

    out = "".join(on_paper(virtual))
    for number, job in enumerate(jobs):
        seen = out.count(f"<{number}>")
        assert seen == 1 if state_of(kiosk, job)[0] == "confirmed" else seen <= 1, (number, state_of(kiosk, job))


def print_and_die(directory: Path, job_id: int, allowed: int) -> None:
    """Print in a process that is killed before its nth statement or byte."""
    numbers = count(1)

    def may_die(statement: str) -> None:
        if not re.match(r"\s*--", statement) and next(numbers) > allowed:
            os.kill(os.getpid(), signal.SIGKILL)

    store = open_ops(directory / "ops.db")
    with store.writer() as database:
        database.conn.set_trace_callback(may_die)
    write = transports._Network.write

    def byte_by_byte(self: transports._Network, data: memoryview, until: float) -> int:
        may_die("a byte")
        return write(self, data[:1], until)

    transports._Network.write = byte_by_byte  # type: ignore[method-assign]
    workers = Workers(lambda: store, PATIENT)
    with time_machine.travel(world.NOW, tick=False):
        workers.wake("printer")
        workers.wait_ended(job_id, 30)
    os._exit(0)


def test_a_printer_with_other_code_pages_prints_the_euro_once_it_was_measured(kiosk: world.Kiosk) -> None:
    clone = VirtualPrinter(0, None, code_pages={19: "cp866", 53: "cp858"})
    clone.start()
    workers = Workers(lambda: kiosk.ops, PATIENT)
    try:
        texts = []
        for profile in ("tm-t20iii", "clone-80"):
            with kiosk.ops_write() as ops:
                install(ops, "printer", f"127.0.0.1:{clone.port}", profile=profile)
                job = print_jobs.enqueue(ops, priced(profile), now=world.NOW)
            with time_machine.travel(world.NOW, tick=False):
                workers.wake("printer")
                workers.wait_ended(job, 20)
            texts.append(on_paper(clone)[-1])
    finally:
        workers.stop(until=time.monotonic() + 5)
        clone.stop()

    assert "19,99 €" not in texts[0]
    assert "Téléphone" in texts[1]
    assert "19,99 €" in texts[1]


def priced(subject: str) -> Wanted:
    return Wanted(
        kind="test",
        subject=subject,
        requested_by="camille",
        render=lambda takes, _: paper.set_on(takes, [Text("Téléphone", "19,99 €")]),
    )
