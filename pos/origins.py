"""Who caused a request that acts: a page of our own, a page of another site, or one whose browser does not say.

Browsers on https and on loopback send Fetch Metadata. Over plain http to another machine, and before Safari 16.4, `Origin` is all
there is; a page with the policy `no-referrer`, a sandboxed frame and a `data:` page all send it as `null`.
Source: Fetch §3.2 "append a request Origin header", Fetch Metadata, OWASP's CSRF cheat sheet.
"""

from __future__ import annotations

from typing import Literal

from pos.errors import PosError

OWN_SITES = frozenset({"same-origin", "none"})

Cause = Literal["own", "foreign", "untold"]


class ForeignOrigin(PosError):
    """The request was sent by a page of another site, or does not say by which; nothing was done."""

    status = 403


def cause_of(*, site: str | None, origin: str | None, host: str) -> Cause:
    """Judge a request by its `Sec-Fetch-Site`, `Origin` and `Host`.

    "untold" may be our own form or anybody's: it may do what a stranger may do, and nothing in the name of a cookie.
    A request without either header comes from no browser's page. The scheme is left open, as a proxy may end TLS before us.
    """
    if site is not None and site not in OWN_SITES:
        return "foreign"
    if origin == "null":
        return "untold" if site is None else "own"
    return "own" if origin in (None, f"http://{host}", f"https://{host}") else "foreign"
