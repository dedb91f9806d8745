"""`/console/releases`: the kiosks' program, which ring gets which version, how far each is, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

from flask import Blueprint, request
from werkzeug.wrappers import Response

from marketplace.db import reading
from marketplace.publishing.releases import (
    KnownRelease,
    ReleaseCorners,
    give_release,
    given,
    known_releases,
    release_corners,
    withdraw_release,
)
from marketplace.web import marketplace, see_other
from pos import clock
from shop.web import render_template
from sync.heads import RINGS

pages = Blueprint("releases", __name__, url_prefix="/releases")


@dataclass(frozen=True, slots=True)
class ReleasesPage:
    """The releases, the one added last first, and the corners that run them or say why not."""

    releases: list[KnownRelease]
    corners: ReleaseCorners

    ring_names: ClassVar[tuple[str, ...]] = RINGS

    @property
    def rings(self) -> list[tuple[str, str, int, int]]:
        """Each ring, the version it gets ("" for none), how many of its corners run that, and how many it has."""
        every = []
        for ring in RINGS:
            release = given(self.releases[::-1], ring)
            version = release.version if release else ""
            heard = sum(count for (name, _), count in self.corners.running.items() if name == ring)
            every.append((ring, version, self.corners.running.get((ring, version), 0), heard))
        return every

    def running(self, version: str) -> int:
        """Return how many corners run a version."""
        return sum(count for (_, each), count in self.corners.running.items() if each == version)

    def address(self, **asked: str) -> str:
        """Return the address of the corners that are asked for."""
        return f"/console/fleet?{urlencode(asked)}#corners"


@pages.get("/")
def home() -> str:
    """Show which ring gets which release, and how far they are."""
    with reading(marketplace().engine) as connection:
        page = ReleasesPage(known_releases(connection)[::-1], release_corners(connection))
    return render_template("marketplace/publishing/releases.html", page=page)


@pages.post("/<version>/rings")
def release_rings(version: str) -> Response:
    """Give a release to a ring and those before it."""
    give_release(marketplace().engine, marketplace().directory, version, request.form.get("ring", ""), now=clock.now())
    return see_other("console.releases.home")


@pages.post("/<version>/withdrawals")
def withdrawals(version: str) -> Response:
    """Take a release back for good."""
    withdraw_release(marketplace().engine, marketplace().directory, version, now=clock.now())
    return see_other("console.releases.home")
