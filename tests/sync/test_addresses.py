from __future__ import annotations

import pytest

from sync.addresses import web_address


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://shop.example", "https://shop.example"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://[2001:db8::7]:8000", "http://[2001:db8::7]:8000"),
        ("http://hq_1:80/comptoir/", "http://hq_1:80/comptoir"),
    ],
)
def test_the_address_of_a_site_is_kept_without_its_last_slash(given: str, kept: str) -> None:
    assert web_address(given) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a url",
        "shop.example",
        "//shop.example",
        "javascript:alert(1)",
        "ftp://shop.example",
        "http://",
        "http://[::1",
        "http://[nonsense]",
        "http://shop.example:0",
        "http://shop.example:99999",
        "http://shop.example:port",
        "http://user:password@shop.example",
        "http://shop.example/?q=1",
        "http://shop.example/#k",
        "http://shop.example\n",
        "http://shop\\example",
        "http://-shop.example",
        "http://bücher.example",
        f"http://{'a' * 64}.example",
        f"http://shop.example/{'k' * 300}",
    ],
)
def test_what_is_no_address_of_a_site_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|URL|[Pp]ort"):
        web_address(text)
