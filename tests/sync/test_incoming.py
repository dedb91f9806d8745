from __future__ import annotations

import pytest

from sync.incoming import is_among


@pytest.mark.parametrize("header", ["::1", "[::1]:x", "[::1", "evil.test", "localhost.evil.test", "", "xshop.example"])
def test_a_strange_host_is_not_among_ours(header: str) -> None:
    assert not is_among(header, {"localhost", "[::1]", ".shop.example"})


@pytest.mark.parametrize("header", ["localhost", "LOCALHOST:8001", "[::1]", "[::1]:8001", "shop.example", "fr.shop.example:443"])
def test_our_host_is_known_whatever_the_port(header: str) -> None:
    assert is_among(header, {"localhost", "::1", ".shop.example"})
