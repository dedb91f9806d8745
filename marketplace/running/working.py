"""The thread that does jobs beside the requests, a few at a time: one of a directory's workers does, whichever holds the lock.

Several machines on one database work side by side: a job is claimed before it is done.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from marketplace.running import jobs
from marketplace.running.handlers import HANDLERS, TIMERS, WHEN_GIVEN_UP
from marketplace.running.jobs import Handler, Hopeless, Job, Postponed, Work
from pos import clock
from sync.errors import Busy
from sync.locks import hold

LOCK_FILE = "jobs.lock"
IDLE_S = 0.5
TAKE_OVER_S = 2.0
REST_S = 2.0
"""How long a kind is left alone of which nothing can be done, so that those enqueued meanwhile are put off together."""
THREADS = 4
MOST_OF_A_KIND = 2
"""So that a mail server that does not answer holds up mails alone."""
logger = logging.getLogger(__name__)


class Working:
    """Does a marketplace's jobs once it was started: at once those that its own process enqueued, others within half a second."""

    def __init__(
        self,
        engine: Engine,
        directory: Path,
        public_url: str,
        *,
        handlers: Mapping[str, Handler] = HANDLERS,
        timers: Mapping[str, timedelta] = TIMERS,
    ) -> None:
        self._engine = engine
        self._directory = directory
        self._public_url = public_url
        self._handlers = handlers
        self._timers = timers
        self._news = threading.Event()
        self._is_ended = False
        self._at_work: set[Job] = set()
        self._resting: dict[str, float] = {}

    def start(self) -> threading.Thread:
        """Begin in the background; the thread ends with its process, or after `end`."""
        event.listen(self._engine, "checkin", self._hear)
        thread = threading.Thread(target=self._go_on, name="working", daemon=True)
        thread.start()
        return thread

    def end(self) -> None:
        """Let the thread finish the jobs it is at and end."""
        self._is_ended = True
        self._news.set()

    def do_due(self) -> int:
        """Do in this thread everything that is due, and return how many jobs that were."""
        jobs.tick(self._engine, self._timers, now=clock.now())
        done = 0
        while (job := jobs.claim(self._engine, worker=_name(), now=clock.now())) is not None:
            self._do(job)
            done += 1
        return done

    def _hear(self, _connection: object, entry: ConnectionPoolEntry) -> None:
        """Wake when a connection comes back whose transaction enqueued something: by then it is committed."""
        if entry.info.pop(jobs.NEWS, False):
            self._news.set()

    def _go_on(self) -> None:
        while not self._is_ended:
            try:
                with hold(self._directory / LOCK_FILE), ThreadPoolExecutor(THREADS, thread_name_prefix="job") as threads:
                    self._work_on(threads)
            except Busy:
                time.sleep(TAKE_OVER_S)
            except Exception:
                # Jobs stay enqueued, and those at work are taken up again once their claim lapses.
                logger.exception("jobs go on in a moment")
                time.sleep(TAKE_OVER_S)

    def _work_on(self, threads: ThreadPoolExecutor) -> None:
        next_tick = 0.0
        while not self._is_ended:
            self._news.clear()
            if time.monotonic() >= next_tick:
                jobs.tick(self._engine, self._timers, now=clock.now())
                next_tick = time.monotonic() + IDLE_S
            while (job := self._next()) is not None:
                self._at_work.add(job)
                threads.submit(self._do_beside, job)
            self._news.wait(IDLE_S)

    def _next(self) -> Job | None:
        at_work = tuple(self._at_work)
        if self._is_ended or len(at_work) >= THREADS:
            return None
        full = [kind for kind, number in Counter(job.kind for job in at_work).items() if number >= MOST_OF_A_KIND]
        resting = [kind for kind, until in tuple(self._resting.items()) if time.monotonic() < until]
        return jobs.claim(self._engine, worker=_name(), now=clock.now(), besides={*full, *resting})

    def _do_beside(self, job: Job) -> None:
        try:
            self._do(job)
        except Exception:
            # The database did not take what became of the job: it is done once more after its claim has lapsed.
            logger.exception("what became of a job (%s) was not kept", job.kind)
        finally:
            self._at_work.discard(job)
            self._news.set()

    def _do(self, job: Job) -> None:
        """Do one claimed job and keep what became of it."""
        work = Work(
            engine=self._engine,
            directory=self._directory,
            public_url=self._public_url,
            now=clock.now(),
            owner_id=job.owner_id,
            job_id=job.job_id,
        )
        when_given_up = WHEN_GIVEN_UP.get(job.kind)
        try:
            note = self._handlers[job.kind](work, jobs.body_of(job.body))
        except Postponed as problem:
            jobs.postpone(self._engine, job, problem, now=work.now)
            if problem.all_alike:
                self._resting[job.kind] = time.monotonic() + REST_S
        except Hopeless as problem:
            jobs.fail(self._engine, job, str(problem), now=clock.now(), is_hopeless=True, when_given_up=when_given_up)
        except Exception as problem:
            # The console shows the reason, the log where it came from; the next try may do better.
            logger.warning("a job (%s) failed and is tried again later", job.kind, exc_info=True)
            jobs.fail(self._engine, job, f"{type(problem).__name__}: {problem}", now=clock.now(), when_given_up=when_given_up)
        else:
            jobs.finish(self._engine, job, note=note or "", now=clock.now())


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
