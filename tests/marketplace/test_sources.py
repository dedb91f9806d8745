from __future__ import annotations

import pytest

from marketplace.sources import is_loopback, proxies_of, source_of
from pos.errors import Invalid

PROXIES = ("127.0.0.1", "10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "192.0.2.1, 198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "192.0.2.1, 198.51.100.7,10.1.2.3", "198.51.100.7"),
        ("::ffff:127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("fd00::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("127.0.0.1", "10.0.0.1", "10.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.7, <script>", "127.0.0.1"),
        ("", "", ""),
    ],
)
def test_the_source_is_the_last_address_none_of_our_proxies_has(peer: str, forwarded: str, source: str) -> None:
    assert source_of(peer, forwarded, proxies_of(PROXIES)) == source


def test_without_a_proxy_of_ours_nobody_says_where_they_come_from() -> None:
    assert source_of("127.0.0.1", "198.51.100.7", ()) == "127.0.0.1"


def test_one_household_of_ipv6_is_one_source() -> None:
    assert source_of("2001:db8::1", "", ()) == source_of("2001:db8::ffff:1", "", ()) != source_of("2001:db8:0:1::1", "", ())


def test_what_is_no_network_is_refused_at_the_start() -> None:
    with pytest.raises(Invalid):
        proxies_of(["proxy.example"])


def test_this_machine_is_known() -> None:
    assert [is_loopback(peer) for peer in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1")] == [True] * 4
    assert [is_loopback(peer) for peer in ("10.0.0.1", "203.0.113.9", "", "localhost.evil.test")] == [False] * 4
