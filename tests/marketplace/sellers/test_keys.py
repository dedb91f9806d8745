from __future__ import annotations

from datetime import timedelta

import time_machine

from marketplace.db import reading, run_tx
from marketplace.sellers.keys import keys_of, revoke_key
from pos import clock
from tests.marketplace.hq import Hq
from tests.marketplace.sellers.selling import Seller, key_of
from tests.processes import comptoir


def test_a_key_is_stored_as_its_hash_alone(hq: Hq) -> None:
    text = key_of(hq)

    [stored] = hq.rows("select * from api_key")
    assert text.rpartition("_")[2] not in str(stored)
    assert text.startswith(f"cpt_1_{stored['key_id']}_")


def test_a_key_ends_when_it_is_revoked_and_by_itself(hq: Hq) -> None:
    seller = Seller(hq)
    assert seller.ask("GET", "/listings").status_code == 200
    with time_machine.travel(clock.now() + timedelta(days=31), tick=False):
        assert seller.ask("GET", "/listings").status_code == 401

    with reading(hq.engine) as connection:
        [key] = keys_of(connection, 1)
    run_tx(hq.engine, lambda connection: revoke_key(connection, 1, key.key_id, now=clock.now()))

    assert seller.ask("GET", "/listings").status_code == 401
    assert key.used_at is not None


def test_a_key_does_what_it_is_for_and_for_its_own_seller(hq: Hq) -> None:
    assert Seller(hq, 1, "orders").put().status_code == 403
    stranger = Seller(hq, 1)
    stranger.key = stranger.key.replace("cpt_1_", "cpt_2_")
    assert stranger.put().status_code == 401


def test_the_command_prints_a_key_that_works(hq: Hq) -> None:
    seller = Seller(hq)
    seller.key = comptoir("marketplace", "apikey", "--dir", str(hq.directory), "--seller", "1").strip()

    assert seller.put().status_code == 201
