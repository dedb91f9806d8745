"""What browsers send with a form, by browser and by the address of the page: the one table for kiosk and marketplace."""

from __future__ import annotations

import pytest

from pos.origins import Cause, cause_of

HOSTS = {"loopback": "127.0.0.1:8000", "network": "192.0.2.10:8000", "https": "marche.example"}
TOLD: dict[str, str] = {"Sec-Fetch-Site": "same-origin"}
UNTOLD: dict[str, str] = {}

# Our pages keep the Origin (`Referrer-Policy: same-origin`); Fetch Metadata goes to https and, but for Safari, to loopback.
OWN_FORMS = {
    "Chromium": {"loopback": TOLD, "network": UNTOLD, "https": TOLD},
    "Firefox": {"loopback": TOLD, "network": UNTOLD, "https": TOLD},
    "Safari 16.4": {"loopback": UNTOLD, "network": UNTOLD, "https": TOLD},
    "Safari 15": {"loopback": UNTOLD, "network": UNTOLD, "https": UNTOLD},
}
FOREIGN_FORMS = {
    "another site, told": {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"},
    "another site, untold": {"Origin": "https://evil.test"},
    "a sister site": {"Origin": "https://blog.marche.example", "Sec-Fetch-Site": "same-site"},
    "another port of this machine": {"Origin": "http://127.0.0.1:9999"},
    "a sandboxed frame, told": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "no origin, told": {"Sec-Fetch-Site": "cross-site"},
    "our name as the user of another": {"Origin": "https://marche.example@evil.test"},
    "our name in front of another": {"Origin": "https://marche.example.evil.test"},
    "an open bracket": {"Origin": "http://[::1"},
    "nothing": {"Origin": ""},
    "no scheme": {"Origin": "//marche.example"},
    "another scheme": {"Origin": "ftp://marche.example"},
    "a port out of range": {"Origin": "https://marche.example:99999999"},
    "letters that only look like ours": {"Origin": "https://mаrche.example"},
    "a site that no browser knows": {"Origin": "https://marche.example", "Sec-Fetch-Site": "cross-origin"},
}


def origin(place: str) -> str:
    return f"{'https' if place == 'https' else 'http'}://{HOSTS[place]}"


def cause(headers: dict[str, str], place: str) -> Cause:
    return cause_of(site=headers.get("Sec-Fetch-Site"), origin=headers.get("Origin"), host=HOSTS[place])


@pytest.mark.parametrize("browser", OWN_FORMS)
@pytest.mark.parametrize("place", HOSTS)
def test_our_own_forms_are_known_from_every_browser(browser: str, place: str) -> None:
    headers = OWN_FORMS[browser][place]
    assert cause({**headers, "Origin": origin(place)}, place) == "own"


@pytest.mark.parametrize("browser", OWN_FORMS)
@pytest.mark.parametrize("place", HOSTS)
def test_a_form_without_its_origin_is_known_where_the_browser_tells_the_site(browser: str, place: str) -> None:
    """As a page with `no-referrer` sends it, or an extension that hides where one comes from."""
    headers = OWN_FORMS[browser][place]
    assert cause({**headers, "Origin": "null"}, place) == ("own" if headers else "untold")


@pytest.mark.parametrize("name", FOREIGN_FORMS)
@pytest.mark.parametrize("place", HOSTS)
def test_the_forms_of_other_sites_are_foreign(name: str, place: str) -> None:
    assert cause(FOREIGN_FORMS[name], place) == "foreign"


def test_a_program_sends_neither() -> None:
    assert cause({}, "network") == "own"


def test_a_proxy_may_end_tls_before_us() -> None:
    assert cause({"Origin": "https://192.0.2.10:8000"}, "network") == "own"
