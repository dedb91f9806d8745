from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters

from pos import clerks, pins
from pos.clock import uptime
from pos.corners import corner
from pos.errors import WeakPin, WrongPin
from pos.team import TeamMember, team
from tests import world
from tests.pos.test_team import tell
from tests.world import NOW, Kiosk

CODE = "482109375516"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def entry(reset_no: int = 1, **said: Any) -> dict[str, Any]:
    """Camille as HQ lists her, with the hash of a one-time code."""
    return {"clerk_id": "camille", "name": "Camille", "reset_no": reset_no, "code_hash": QUICK.hash(CODE), **said}


def camille(kiosk: Kiosk) -> TeamMember:
    return next(each for each in team(kiosk.ops.read(), corner(kiosk.ops.read())) if each["clerk_id"] == "camille")


def choose(kiosk: Kiosk, pin: str = "739418") -> None:
    chosen = pins.chosen_pin(camille(kiosk), pin, key=pins.pin_key(kiosk.directory), hasher=QUICK)
    with kiosk.ops_write() as ops:
        clerks.choose_pin(ops, chosen, now=NOW)


def enter(kiosk: Kiosk, pin: str) -> str:
    own = corner(kiosk.ops.read())
    return clerks.log_in(kiosk.ops, own, "camille", pin, directory=kiosk.directory, now=NOW, uptime=uptime())


def is_right(kiosk: Kiosk, pin: str) -> bool:
    return pins.is_pin(kiosk.ops.read(), camille(kiosk), pin, kiosk.directory)


def test_a_code_lets_its_owner_choose_a_pin_once(kiosk: Kiosk) -> None:
    tell(kiosk, entry())
    assert not is_right(kiosk, CODE), "a code is no PIN"
    assert pins.is_code(kiosk.ops.read(), camille(kiosk), CODE, kiosk.directory)
    choose(kiosk)

    assert is_right(kiosk, "739418")
    assert not pins.is_code(kiosk.ops.read(), camille(kiosk), CODE, kiosk.directory)


def test_a_reset_ends_the_pin_and_its_session(kiosk: Kiosk) -> None:
    tell(kiosk, entry())
    choose(kiosk)
    token = enter(kiosk, "739418")
    own = corner(kiosk.ops.read())
    assert clerks.session_of(kiosk.ops.read(), own, token, now=NOW) is not None
    tell(kiosk, entry(reset_no=2))

    assert clerks.session_of(kiosk.ops.read(), corner(kiosk.ops.read()), token, now=NOW) is None
    with pytest.raises(WrongPin):
        enter(kiosk, "739418")
    choose(kiosk, "915320")
    assert enter(kiosk, "915320")


def test_another_document_that_resets_nothing_keeps_the_pin(kiosk: Kiosk) -> None:
    said = entry()
    tell(kiosk, said)
    choose(kiosk)
    tell(kiosk, {**said, "name": "Camille B.", "role": "manager", "change_no": 9})

    assert is_right(kiosk, "739418")


def test_a_pin_of_an_older_hq_works_until_another_is_chosen(kiosk: Kiosk) -> None:
    assert is_right(kiosk, world.PIN)
    choose(kiosk)

    assert (is_right(kiosk, world.PIN), is_right(kiosk, "739418")) == (False, True)


def test_records_without_their_device_s_key_tell_nothing_of_a_pin(kiosk: Kiosk, tmp_path: Path) -> None:
    tell(kiosk, entry())
    choose(kiosk)
    [(kept,)] = kiosk.ops.read().execute("select hash from clerk_secret")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "device.key").write_bytes(bytes(32))

    for guess in ("739418", "camille\0739418"):
        with pytest.raises(Exception, match="match"):
            QUICK.verify(kept, guess)
    assert not pins.is_pin(kiosk.ops.read(), camille(kiosk), "739418", tmp_path / "elsewhere")
    assert pins.is_code(kiosk.ops.read(), camille(kiosk), CODE, tmp_path / "elsewhere"), "enrolled anew, the card counts again"


def test_one_pin_of_two_people_is_kept_as_two_things(kiosk: Kiosk) -> None:
    key = pins.pin_key(kiosk.directory)
    fixed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    one, other = (pins._bound(key, clerk_id, "739418") for clerk_id in ("camille", "idriss"))

    assert one != other
    assert not fixed.hash(one).endswith(fixed.hash(other)[-20:])


@pytest.mark.parametrize(
    ("pin", "reason"),
    [
        ("73041", "form"),
        ("73041a", "form"),
        ("٧٣٠٤١٨", "form"),
        ("777777", "same"),
        ("730730", "repeated"),
        ("737373", "repeated"),
        ("123456", "run"),
        ("456789", "run"),
        ("890123", "run"),
        ("543210", "run"),
        ("140789", "date"),
        ("290288", "date"),
        ("071489", "date"),
        ("890714", "date"),
        ("198907", "date"),
    ],
)
def test_a_pin_that_is_guessed_first_is_refused_with_its_reason(pin: str, reason: str) -> None:
    with pytest.raises(WeakPin) as refusal:
        pins.check_strength(pin)
    assert refusal.value.data["reason"] == reason


@pytest.mark.parametrize("pin", ["246810", "739418", "915320", "300288"[::-1], "000001"])
def test_any_other_pin_is_taken(pin: str) -> None:
    pins.check_strength(pin)


def test_checking_a_pin_takes_what_it_was_designed_to(kiosk: Kiosk) -> None:
    """The cost is memory and passes; the time here is only held from below, since a busy machine takes longer."""
    hashed = pins.HASHER.hash(b"739418")
    parameters = extract_parameters(hashed)
    began = perf_counter()
    pins.HASHER.verify(hashed, b"739418")

    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (32_768, 6, 1)
    assert perf_counter() - began > 0.04
