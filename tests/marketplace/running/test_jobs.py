"""What is enqueued is done at least once, by one worker at a time, and what cannot be done is seen and stays."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import Connection, text

from marketplace.db import CHANGED_AT_ONCE, run_tx
from marketplace.running import jobs, working
from marketplace.running.jobs import KEPT, LEASE, MOST_TRIES, Hopeless, Postponed, Work
from marketplace.running.working import Working
from pos import clock
from sync.errors import Busy
from sync.locks import hold
from tests.marketplace import killed_jobs
from tests.marketplace.hq import URL, Hq
from tests.processes import PATIENCE_S

Act = Callable[[Work, dict[str, Any]], str | None]


def enqueue(hq: Hq, kind: str = "greet", **more: Any) -> bool:
    body = more.pop("body", {"name": "Camille"})
    return run_tx(hq.engine, lambda connection: jobs.enqueue(connection, kind, body, owner_id="o1", **more))


def working_with(hq: Hq, act: Act, **timers: timedelta) -> Working:
    return Working(hq.engine, hq.directory, URL, handlers={"greet": act, "wave": act}, timers=timers)


def states(hq: Hq) -> list[str]:
    return [job["state"] for job in hq.rows("select state from job order by job_id")]


def test_a_job_is_kept_with_what_it_follows_or_not_at_all(hq: Hq) -> None:
    def cut_short(connection: Connection) -> None:
        jobs.enqueue(connection, "greet", {}, owner_id="o1")
        raise RuntimeError("the order failed")

    with pytest.raises(RuntimeError):
        run_tx(hq.engine, cut_short)
    assert states(hq) == []


def test_a_job_is_done_once_with_its_body_and_what_it_works_on(hq: Hq) -> None:
    seen: list[tuple[Any, ...]] = []
    enqueue(hq)
    worker = working_with(hq, lambda work, body: seen.append((work.owner_id, work.public_url, body["name"])))
    assert (worker.do_due(), worker.do_due()) == (1, 0)
    assert seen == [("o1", URL, "Camille")]
    assert states(hq) == ["done"]


def test_one_of_a_name_is_enqueued_once_whatever_became_of_it(hq: Hq) -> None:
    assert enqueue(hq, unique="order 1")
    working_with(hq, lambda *_: None).do_due()
    assert not enqueue(hq, unique="order 1")
    assert enqueue(hq, unique="order 2")
    assert enqueue(hq, "wave", unique="order 1")
    assert states(hq) == ["done", "waiting", "waiting"]


def test_a_job_for_later_waits_for_its_moment(hq: Hq) -> None:
    start = clock.now()
    with time_machine.travel(start, tick=False) as travel:
        enqueue(hq, due_at=start + timedelta(hours=18))
        worker = working_with(hq, lambda *_: None)
        assert worker.do_due() == 0
        travel.move_to(start + timedelta(hours=18))
        assert worker.do_due() == 1


def test_one_of_two_workers_that_claim_at_once_gets_the_job(hq: Hq) -> None:
    for _ in range(10):
        enqueue(hq)
    claimed: list[jobs.Job] = []
    start = threading.Barrier(4)

    def claim_all(worker: str) -> None:
        start.wait()
        while job := jobs.claim(hq.engine, worker=worker, now=clock.now()):
            claimed.append(job)

    threads = [threading.Thread(target=claim_all, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.job_id for job in claimed}) == len(claimed) == 10


def test_a_job_of_a_worker_that_died_is_done_by_another_after_its_lease(hq: Hq) -> None:
    enqueue(hq)
    start = clock.now()
    assert jobs.claim(hq.engine, worker="dead", now=start)
    with time_machine.travel(start, tick=False) as travel:
        worker = working_with(hq, lambda *_: None)
        travel.move_to(start + LEASE - timedelta(seconds=1))
        assert (worker.do_due(), states(hq)) == (0, ["running"])
        travel.move_to(start + LEASE + timedelta(seconds=1))
        assert (worker.do_due(), states(hq)) == (1, ["done"])


def test_who_comes_back_after_its_lease_settles_nothing(hq: Hq) -> None:
    start = clock.now()
    enqueue(hq)
    late = jobs.claim(hq.engine, worker="late", now=start)
    assert late
    assert jobs.claim(hq.engine, worker="next", now=start + LEASE)
    jobs.fail(hq.engine, late, "gone", now=start, is_hopeless=True)
    assert states(hq) == ["running"]


def test_a_job_killed_in_the_middle_is_done_by_who_starts_next(hq: Hq) -> None:
    """A process of its own dies by kill -9 while it does the job, after what the job wrote and before it was said to be done."""
    enqueue(hq, "note", body={"name": "greeted"})
    url = hq.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", killed_jobs.__name__, url, str(hq.directory)]
    killed = subprocess.run(command, timeout=60, check=False, capture_output=True)
    assert (killed.returncode, killed.stderr) == (-signal.SIGKILL, b"")
    assert states(hq) == ["running"]
    with time_machine.travel(clock.now() + LEASE, tick=True):
        Working(hq.engine, hq.directory, URL, handlers={"note": killed_jobs.note}, timers={}).do_due()
    assert states(hq) == ["done"]
    assert hq.rows("select value from setting where name = 'greeted'") == [{"value": "true"}]


def test_a_failure_is_tried_again_ever_later_for_three_days_and_then_stays_to_be_seen(hq: Hq) -> None:
    def act(*_: object) -> None:
        raise OSError("nobody answers")

    start = clock.now()
    random.seed(1)
    with time_machine.travel(start, tick=False) as travel:
        enqueue(hq)
        worker, waits, at = working_with(hq, act), [], start
        for _ in range(MOST_TRIES):
            travel.move_to(at)
            assert worker.do_due() == 1
            [job] = hq.rows("select * from job")
            waits.append(clock.from_text(job["due_at"]) - at)
            at = clock.from_text(job["due_at"])
    assert (job["state"], job["tries"], job["error"]) == ("dead", MOST_TRIES, "OSError: nobody answers")
    assert waits[0] < timedelta(minutes=2)
    assert max(waits) <= jobs.LONGEST_WAIT * 1.25
    assert timedelta(days=2.5) < sum(waits, timedelta()) < timedelta(days=3.5)


def test_what_no_try_would_do_is_dead_at_once_and_what_cannot_be_tried_yet_waits_without_a_try(hq: Hq) -> None:
    def act(work: Work, body: dict[str, Any]) -> None:
        if body["name"] == "never":
            raise Hopeless("no such address")
        raise Postponed("no server is named", until=work.now + timedelta(hours=1))

    enqueue(hq, body={"name": "never"})
    enqueue(hq, "wave")
    assert working_with(hq, act).do_due() == 2
    found = hq.rows("select state, tries, error from job order by kind")
    assert [tuple(job.values()) for job in found] == [("dead", 1, "no such address"), ("waiting", 0, "no server is named")]


def test_a_kind_of_which_nothing_can_be_done_is_put_off_whole_by_one_try(hq: Hq) -> None:
    tries: list[str] = []

    def act(work: Work, body: dict[str, Any]) -> None:
        tries.append(body["name"])
        raise Postponed("no server is named", until=work.now + timedelta(hours=1), all_alike=True)

    for _ in range(3):
        enqueue(hq)
    later = clock.now() + timedelta(hours=3)
    enqueue(hq, due_at=later)
    enqueue(hq, "from_a_later_version")
    working_with(hq, act).do_due()
    found = hq.rows("select state, tries, error, due_at from job where kind = 'greet' order by due_at")
    assert tries == ["Camille"]
    assert [(job["state"], job["tries"], job["error"]) for job in found[:3]] == [("waiting", 0, "no server is named")] * 3
    assert (found[3]["error"], found[3]["due_at"]) == ("", clock.to_text(later))
    assert hq.rows("select error from job where kind <> 'greet'") != [{"error": "no server is named"}]


def test_a_kind_that_was_put_off_is_left_alone_for_a_moment_and_the_others_are_not(hq: Hq) -> None:
    tries: list[str] = []
    others = threading.Event()

    def act(work: Work, body: dict[str, Any]) -> None:
        if body["name"] == "other":
            others.set()
            return
        tries.append(body["name"])
        raise Postponed("no server is named", until=work.now + timedelta(hours=1), all_alike=True)

    enqueue(hq)
    worker = working_with(hq, act)
    thread = worker.start()
    wait_for(lambda: hq.rows("select error from job") == [{"error": "no server is named"}])
    for _ in range(3):
        enqueue(hq)
    enqueue(hq, "wave", body={"name": "other"})
    assert others.wait(PATIENCE_S)
    worker.end()
    thread.join(PATIENCE_S)
    assert tries == ["Camille"]


def test_a_kind_nobody_knows_yet_waits(hq: Hq) -> None:
    enqueue(hq, "from_a_later_version")
    working_with(hq, lambda *_: None).do_due()
    assert states(hq) == ["waiting"]


def test_a_timer_enqueues_its_job_every_so_often_and_says_what_came_of_it(hq: Hq) -> None:
    start = clock.now()
    done: list[str] = []

    def act(work: Work, _body: dict[str, Any]) -> str:
        done.append(clock.to_text(work.now))
        return f"turn {len(done)}"

    with time_machine.travel(start, tick=False) as travel:
        worker = working_with(hq, act, greet=timedelta(hours=1))
        for minutes, turns in ((0, 1), (59, 1), (60, 2), (61, 2), (600, 3)):
            travel.move_to(start + timedelta(minutes=minutes))
            worker.do_due()
            assert len(done) == turns, minutes
        travel.move_to(start - timedelta(days=400))
        worker.do_due()
        assert len(done) == 4, "a clock set back does not stop it for a year"
    [timer] = hq.rows("select * from timer")
    assert timer["note"] == "turn 4"
    assert len(hq.rows("select * from job")) == 1, "a timer's job is one row for ever"


def test_a_timer_whose_job_still_waits_adds_no_second_one(hq: Hq) -> None:
    def act(*_: object) -> None:
        raise OSError("not now")

    start = clock.now()
    with time_machine.travel(start, tick=False) as travel:
        for hours in range(5):
            travel.move_to(start + timedelta(hours=hours))
            working_with(hq, act, greet=timedelta(hours=1)).do_due()
    [job] = hq.rows("select tries from job")
    assert job["tries"] >= 3


def test_the_thread_hears_of_its_own_process_s_jobs_at_once(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "IDLE_S", 10.0 * PATIENCE_S)
    done = threading.Event()
    worker = working_with(hq, lambda *_: done.set())
    thread = worker.start()
    time.sleep(0.2)
    enqueue(hq)
    assert done.wait(PATIENCE_S)
    worker.end()
    thread.join(PATIENCE_S)
    assert states(hq) == ["done"]


def test_jobs_of_one_kind_that_take_long_do_not_hold_up_another(hq: Hq) -> None:
    others, slow = threading.Event(), threading.Event()

    def act(_work: Work, body: dict[str, Any]) -> None:
        if body["name"] == "slow":
            slow.wait(PATIENCE_S)
        else:
            others.set()

    for _ in range(6):
        enqueue(hq, body={"name": "slow"})
    enqueue(hq, "wave")
    worker = working_with(hq, act)
    thread = worker.start()
    assert others.wait(PATIENCE_S)
    slow.set()
    worker.end()
    thread.join(PATIENCE_S)


def test_two_workers_of_a_directory_take_turns_by_its_lock(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "TAKE_OVER_S", 0.05)
    done: list[str] = []
    first, second = (working_with(hq, lambda *_, name=name: done.append(name)) for name in ("first", "second"))
    first_thread = first.start()
    wait_for(lambda: is_held(hq))
    second_thread = second.start()
    enqueue(hq)
    wait_for(lambda: done == ["first"])
    first.end()
    first_thread.join(PATIENCE_S)
    enqueue(hq)
    wait_for(lambda: done == ["first", "second"])
    second.end()
    second_thread.join(PATIENCE_S)


def test_jobs_done_long_ago_are_deleted_little_by_little(hq: Hq) -> None:
    for number in range(3):
        enqueue(hq, unique=str(number))
    working_with(hq, lambda *_: None).do_due()
    enqueue(hq)
    assert CHANGED_AT_ONCE == 500
    assert jobs.forget_done(hq.engine, now=clock.now() + KEPT - timedelta(days=1)) == 0
    assert jobs.forget_done(hq.engine, now=clock.now() + KEPT + timedelta(days=1)) == 3
    assert states(hq) == ["waiting"]


def test_no_transaction_of_the_jobs_holds_the_writer_for_long(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many jobs as a bad day leaves, from claiming them to forgetting them."""
    values = [
        {"owner_id": "o1", "job_id": f"j{n:05}", "state": "done" if n % 2 else "waiting", "at": "2026-01-01T00:00:00Z"}
        for n in range(8000)
    ]
    insert = """
        insert into job (owner_id, job_id, kind, body, state, enqueued_at, due_at, tries, error)
        values (:owner_id, :job_id, 'greet', '{}', :state, :at, :at, 0, '')
    """
    run_tx(hq.engine, lambda connection: connection.execute(text(insert), values))
    took: list[float] = []

    def timed(engine: Any, work: Any) -> Any:
        began = time.monotonic()
        done = run_tx(engine, work)
        took.append(time.monotonic() - began)
        return done

    monkeypatch.setattr(jobs, "run_tx", timed)
    for _ in range(20):
        job = jobs.claim(hq.engine, worker="w", now=clock.now())
        assert job
        jobs.finish(hq.engine, job, note="", now=clock.now())
    assert jobs.forget_done(hq.engine, now=clock.now()) == 4000
    assert sorted(took)[len(took) // 2] < 0.2


def test_the_console_shows_what_is_dead_and_acts_on_it(hq: Hq) -> None:
    def act(*_: object) -> None:
        raise Hopeless("no such address")

    log_in(hq)
    for name in ("one", "two", "three"):
        enqueue(hq, unique=name)
    working_with(hq, act).do_due()
    hq.work()
    page = hq.client.get("/console/jobs").text
    assert page.count("no such address") == 3
    assert "Camille" not in page, "bodies hold what concerns nobody here"
    assert "ménage du jour" in page
    assert "3 travaux n’ont pas pu être faits" in hq.client.get("/console/").text
    assert 'comptoir_jobs{state="dead"} 3' in hq.client.get("/metrics").text

    assert post(hq, "/console/jobs/retries", owner_id="o1", job_id="greet:one") == 303
    assert post(hq, "/console/jobs/notes", owner_id="o1", job_id="greet:two", note="wrong number") == 303
    assert [
        (job["state"], job["error"]) for job in hq.rows("select state, error from job where kind = 'greet' order by job_id")
    ] == [
        ("waiting", "no such address"),
        ("dead", "no such address"),
        ("set_aside", "wrong number"),
    ]
    assert post(hq, "/console/jobs/notes", owner_id="o1", job_id="greet:three", note=" ") == 400
    assert post(hq, "/console/jobs/notes", owner_id="o1", job_id="greet:two", note="again") == 409
    assert post(hq, "/console/jobs/retries") == 303
    working_with(hq, lambda *_: None).do_due()
    assert hq.rows("select state, count(*) as n from job where kind = 'greet' group by state order by state") == [
        {"state": "done", "n": 2},
        {"state": "set_aside", "n": 1},
    ]
    assert post(hq, "/console/jobs/retries", owner_id="o1", job_id="greet:one") == 409


def log_in(hq: Hq) -> None:
    origin = {"Origin": "http://localhost"}
    assert hq.client.post("/console/login", data={"password": hq.password}, headers=origin).status_code == 303


def post(hq: Hq, address: str, **form: str) -> int:
    return hq.client.post(address, data=form, headers={"Origin": "http://localhost"}).status_code


def is_held(hq: Hq) -> bool:
    """Tell whether somebody works on the directory's jobs."""
    try:
        with hold(hq.directory / working.LOCK_FILE):
            return False
    except Busy:
        return True


def wait_for(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.02)
