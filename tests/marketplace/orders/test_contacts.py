"""Where to deliver: a market says what its post codes look like, 9 for a digit and A for a letter."""

from __future__ import annotations

import pytest

from marketplace.orders.contacts import InvalidContact, read_contact

FORM = {"name": "Alix Durand", "email": "alix@example.org"}


@pytest.mark.parametrize(
    ("post_codes", "address", "is_one"),
    [
        (["99 999"], "12 rue Crébillon, 44000 Nantes", True),
        (["99 999"], "12 rue Crébillon, 44 000 Nantes", True),
        (["99 999"], "12 rue Crébillon, 4400 Nantes", False),
        (["99 999"], "12 rue Crébillon, 440001 Nantes", False),
        (["99999", "99999-9999"], "120 Lafayette Street, NY 10013-1234", True),
        (["9999 AA"], "Oudegracht 1, 3511 ab Utrecht", True),
        (["9999 AA"], "Oudegracht 1, 3511 Utrecht 12", False),
        (["A9 9AA", "AA9A 9AA"], "10 Downing Street, London SW1A 2AA", True),
        ([], "12 rue Crébillon, Nantes", True),
    ],
)
def test_a_post_code_is_known_by_the_signs_of_its_market(post_codes: list[str], address: str, is_one: bool) -> None:
    form = {**FORM, "address": address}
    if is_one:
        assert read_contact(form, post_codes).address == address
    else:
        with pytest.raises(InvalidContact):
            read_contact(form, post_codes)
