"""The kiosk that the demo runs, in the weeks before: enrolled when the marketplace opened, it followed and knew every price.

It is the product's own kiosk, which asks the marketplace's own app in this process, whose clock is held at the past.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from random import Random

from sqlalchemy import Engine

from demo.past.corners import OWN_CORNER
from demo.simulator.network import Link, LinkSession, call
from kiosk.background import Rounds, clean_up
from kiosk.prices import trusted_now
from marketplace.app import create_app
from marketplace.fleet.enrolments import start_enrolment
from marketplace.installation import read_installation
from marketplace.web import marketplace_of
from pos import clock
from pos.db import Store
from pos.ops import open_ops
from pos.privacy import take_over
from shop.prices import catch_up
from sync.corner.client import Client
from sync.corner.enrolment import enrol
from sync.corner.media import MediaStore


@dataclass(frozen=True, slots=True)
class PastKiosk:
    """The kiosk and its way to the marketplace. The clock is held at the moment at which it does something."""

    rounds: Rounds
    client: Client

    def follow(self) -> None:
        """Send what waits, fetch what was published, and keep the records in order. Raises: SyncError."""
        for problem in self.rounds.run(self.client).problems:
            raise problem
        clean_up(self.rounds.ops)
        self.start_prices()

    def start_prices(self) -> None:
        """Put in force what was announced for by now."""
        catch_up(self.rounds.catalog, trusted_now(self.rounds.ops))


@contextmanager
def past_kiosk(engine: Engine, directory: Path, own: Path) -> Iterator[PastKiosk]:
    """Enrol the kiosk in `own` at the marketplace in `directory`, and give it to the block with what is published so far."""
    take_over(own)
    app = create_app(directory)
    served = marketplace_of(app)
    link = Link(Random(0), lambda request: call(app, request), meanwhile=_nothing, pass_time=_at_once, later=[])  # noqa: S311 - draws nothing
    client = Client(read_installation(directory).public_url, session=LinkSession(link))
    try:
        with closing(open_ops(own / "ops.db")) as ops, closing(Store(own / "catalog.db", durable=False)) as catalog:
            code = start_enrolment(engine, OWN_CORNER, now=clock.now())
            enrol(own, ops, client, code, now=clock.now)
            kiosk = PastKiosk(Rounds(own, catalog, ops, MediaStore(own / "media"), version("comptoir")), client)
            kiosk.follow()
            # From the round after its first catalogue on, a kiosk remembers what it proposed.
            kiosk.follow()
            yield kiosk
    finally:
        served.engine.dispose()


def _nothing() -> None:
    """Nothing else happens while a request is under way."""


def _at_once(_: timedelta) -> None:
    """No time passes."""
