"""The worked examples of docs/protocol.md are what the code does."""

from __future__ import annotations

import json
from dataclasses import fields
from hashlib import shake_128
from pathlib import Path

from marketplace.events.inbox import JUDGES
from pos import outbox
from pos.catalog import TABLES
from pos.corners import Corner
from pos.totals import Line, OptionTerms, PlanTerms, Totals, line_totals
from sync.channels import schema_of, tables_of
from sync.messages import fingerprint_of
from sync.roots import RootState
from tests.sync.test_signatures import ANSWER, HQ_PUBLIC, PUBLIC, answered, signed

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


def shortened(number: bytes) -> str:
    return f"{number[:8].hex()}…{number[-8:].hex()}"


def test_the_root_of_section_1() -> None:
    state = RootState()
    for row in ((7, 3), (9, 0)):
        assert shortened(shake_128(f'["stock",{row[0]},{row[1]}]'.encode()).digest(256)) in PAGE
        state.add("stock", [row])
    assert shortened(state.to_bytes()) in PAGE
    assert schema_of("stock").decode() in PAGE
    assert state.root(schema_of("stock")) in PAGE
    assert RootState().root(schema_of("stock")) in PAGE


def test_the_signature_of_section_7() -> None:
    request = signed()
    assert PUBLIC.hex() in PAGE
    for name in ("Content-Type", "Content-Digest", "Signature-Input", "Signature"):
        assert f"{name}: {request.headers[name]}\n" in PAGE


def test_the_fingerprint_of_section_8() -> None:
    assert fingerprint_of(PUBLIC, root="", code="7k4m 2q9t ooOO", stream="00112233aabbccdd") in PAGE


def test_the_reply_of_section_7() -> None:
    response = answered(signed())
    assert HQ_PUBLIC.hex() in PAGE
    assert ANSWER.decode() in PAGE
    for name in ("Content-Digest", "Signature-Input", "Signature"):
        assert f"{name}: {response.headers[name]}\n" in PAGE


def test_the_event_of_section_9() -> None:
    assert outbox.link(1, "demo_checked", '{"position":"A1"}', outbox.CHAIN_START) in PAGE


def test_every_table_has_one_channel() -> None:
    channels = {table.channel for table in TABLES}
    assert sorted(table.name for channel in channels for table in tables_of(channel)) == sorted(table.name for table in TABLES)


def test_the_amounts_of_section_11() -> None:
    plan = PlanTerms(
        monthly_cents=1999,
        promo_monthly_cents=999,
        promo_months=6,
        commitment_months=12,
        activation_cents=1000,
        exit_fee_cents=0,
        device_discount_cents=10_000,
        min_device_cents=30_000,
        refund_cents=5000,
        instalment_months=12,
        deposit_cents=4501,
    )
    option = OptionTerms(one_off_cents=500, monthly_cents=200, commitment_months=0)
    costs = line_totals(Line(quantity=2, device_cents=50_000, plan=plan, options=(option,)))
    assert f"`{json.dumps(costs.to_facts() | {'instalments': ['…']}, ensure_ascii=False, separators=(',', ':'))}`" in PAGE
    assert costs.instalments == (5918,) * 11 + (5900,)
    assert "eleven of 5918 and one of 5900" in PAGE


def test_every_figure_event_and_field_of_a_corner_is_named() -> None:
    figures = [field.name for kind in (PlanTerms, OptionTerms, Totals, Corner) for field in fields(kind)]
    assert [name for name in (*figures, *JUDGES) if f"`{name}`" not in PAGE] == []
