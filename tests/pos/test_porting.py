"""What a number's operator asks for is the market's; a key is read, kept in one text and told by name."""

from __future__ import annotations

import pytest

from pos.errors import InvalidAccount, InvalidRio
from pos.porting import porting_kind, read_key, told_key


def test_a_market_that_does_not_say_asks_for_the_number_alone() -> None:
    assert porting_kind({}) == "number"
    assert porting_kind({"porting": {"asks": "account"}}) == "account"


def test_a_key_is_told_to_the_carrier_as_it_was_given() -> None:
    rio = read_key("rio", {"rio": "03p 123456 559"}, "06 12 34 56 78")
    account = read_key("account", {"account": " 1234-5678 ab", "pin": "12 34 56"}, "212 555 0101")

    assert told_key(rio) == {"rio": "03P123456559"}
    assert told_key(account) == {"accountNumber": "12345678AB", "transferPin": "123456"}
    assert read_key("number", {"rio": "anything"}, "0171 123456") is None
    assert told_key(None) == {}


@pytest.mark.parametrize(
    ("form", "reason"),
    [({"pin": "1234"}, "account"), ({"account": "12345678"}, "pin"), ({"account": "12345678", "pin": "12"}, "pin")],
)
def test_a_key_that_cannot_be_one_is_refused(form: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidAccount) as refused:
        read_key("account", form, "212 555 0101")
    assert refused.value.data["reason"] == reason
    with pytest.raises(InvalidRio):
        read_key("rio", {}, "06 12 34 56 78")
