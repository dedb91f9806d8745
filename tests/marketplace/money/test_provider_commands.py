from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.bank import Bank
from marketplace.db import reading
from marketplace.money.provider import NoProvider, pages_origin, provider, read_settings
from tests.marketplace.hq import Hq
from tests.marketplace.money.banks import running_bank
from tests.processes import free_port, run


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    with running_bank(tmp_path / "bank") as running:
        yield running


def set_up(hq: Hq, bank: Bank, *, api: str | None = None) -> tuple[int, str]:
    files = ("--key-file", str(bank.secret_key), "--webhook-secret-file", str(bank.webhook_secret))
    ended = run("marketplace", "payments", "--dir", str(hq.directory), *files, "--api", api or bank.address)
    return ended.returncode, ended.stdout + ended.stderr


def test_hq_sets_payment_up_once_from_files_and_no_secret_is_ever_said(hq: Hq, bank: Bank) -> None:
    with reading(hq.engine) as connection, pytest.raises(NoProvider):
        provider(connection)
    assert "not set up" in run("marketplace", "payments", "--dir", str(hq.directory)).stdout

    status, said = set_up(hq, bank)
    assert status == 0
    assert f"test keys, {bank.address}" in said
    assert bank.secret_key.read_text().strip() not in said
    with reading(hq.engine) as connection:
        assert pages_origin(connection) == bank.address
        provider(connection).try_key()


def test_a_key_the_provider_does_not_take_changes_nothing(hq: Hq, bank: Bank) -> None:
    bank.secret_key.write_text("sk_test_00000000000000000000\n")
    status, said = set_up(hq, bank)
    assert (status, "does not take this key" in said) == (1, True)
    bank.secret_key.write_text("pk_test_00000000000000000000\n")
    assert "does not hold a secret key" in set_up(hq, bank)[1]
    with reading(hq.engine) as connection:
        assert read_settings(connection) is None


def test_a_provider_that_does_not_answer_is_set_up_untried(hq: Hq, bank: Bank) -> None:
    status, said = set_up(hq, bank, api=f"http://127.0.0.1:{free_port()}")
    assert (status, "stored untried" in said) == (0, True)


def test_a_live_key_is_never_sent_in_the_clear(hq: Hq, bank: Bank) -> None:
    bank.secret_key.write_text("sk_live_00000000000000000000\n")
    assert "https" in set_up(hq, bank)[1]
    assert run("marketplace", "payments", "--dir", str(hq.directory), "--key-file", str(bank.secret_key)).returncode == 2


def test_the_console_says_that_nothing_can_be_paid_until_it_can(hq: Hq, bank: Bank) -> None:
    hq.client.post("/console/login", data={"password": hq.password}, headers={"Origin": "http://localhost"})
    assert "Aucun prestataire de paiement" in hq.client.get("/console/").text
    set_up(hq, bank)
    assert "Aucun prestataire de paiement" not in hq.client.get("/console/").text
