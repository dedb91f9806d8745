"""The register of faults: every code of the product stands in it, says what it means and what to do, and keeps its number."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import sync.errors
from kiosk.faults import PRINTER_REASONS
from marketplace.fleet.standings import PRINTER_FAULTS
from pos.errors import Unavailable
from pos.left_out import FAULT
from shop.filters import told_fault
from sync.faults import SENTENCES, UNKNOWN, Severity, fault, faults, severity, weightiest

ROOT = Path(__file__).parents[2]
CODES = [code for code in faults() if code != UNKNOWN]
NO_FAULTS = {
    "not_confirmed": "said by `kiosk enrol`: no kiosk yet",
    "not_enough_keys": "said by `marketplace keys rotate`",
    "unavailable": "the class of the others",
    "kiosk_revoked": "the refusal of a slip under the fault `revoked`",
}


def test_a_short_code_is_its_fault_s_alone_even_by_its_number() -> None:
    shorts = [fault(code).short for code in faults()]
    assert [short for short in shorts if not re.fullmatch(r"[BPDHRKCSTX]-[0-9]{2}", short)] == []
    numbers = [short[2:] for short in shorts]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_fault_is_said_in_sentences_a_clerk_reads_at_a_glance(language: str) -> None:
    told = [told_fault(code, language) for code in faults()]
    for each in told:
        for part in ("meaning", "remedy"):
            sentence = getattr(each, part)
            assert sentence.endswith("."), sentence
            assert ". " not in sentence, f"two sentences: {sentence}"
            assert len(sentence) <= 150, sentence
        assert 5 < len(each.name) <= 40
        assert each.repair
    assert len({each.name for each in told}) == len({each.meaning for each in told}) == len(told)
    if language == "en":
        assert [
            (each.code, part) for each in told for part in SENTENCES if getattr(each, part) == getattr(fault(each.code), part)
        ] == []


def test_whatever_the_product_can_report_stands_in_the_register() -> None:
    refusals = {kind("").code for parent in (sync.errors.SyncError, Unavailable) for kind in below(parent)}
    reported = refusals | {*PRINTER_REASONS.values(), *PRINTER_FAULTS.values(), FAULT} | set(reported_codes())
    assert reported - set(NO_FAULTS) - set(CODES) == set()
    assert len(reported) > 45


def test_a_code_nobody_knows_is_for_a_person_to_look_at() -> None:
    assert (severity("new_in_2031"), fault("new_in_2031").short, fault("new_in_2031").code) == (
        Severity.ACT,
        "X-00",
        "new_in_2031",
    )


def test_the_worst_is_looked_at_first() -> None:
    assert weightiest(dict.fromkeys(["offline", "printer_near_end", "clock_wrong", "records_damaged", "printer_paper_out"])) == [
        "records_damaged",
        "clock_wrong",
        "printer_paper_out",
        "printer_near_end",
        "offline",
    ]


def below(parent: type) -> list[type]:
    """The refusals a kiosk can meet; HQ's own are none of its faults."""
    ours = [child for child in parent.__subclasses__() if child.__module__.partition(".")[0] in ("pos", "sync", "kiosk")]
    return [kind for child in ours for kind in (child, *below(child))]


def reported_codes() -> list[str]:
    """The codes that a kiosk's modules write into faults: `faults["x"] = …`, `faults.setdefault("x", …)`, and tables of them."""
    found = []
    for path in [*(ROOT / "kiosk").rglob("*.py"), *(ROOT / "sync").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setdefault":
                if ast.unparse(node.func.value).endswith("faults") and isinstance(node.args[0], ast.Constant):
                    found.append(str(node.args[0].value))
            elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("faults"):
                found += [str(node.slice.value)] if isinstance(node.slice, ast.Constant) else []
            elif isinstance(node, ast.Return) and path == ROOT / "kiosk" / "faults.py":
                found += [text for text in texts(node) if "." not in text]
            elif isinstance(node, ast.Dict) and path == ROOT / "kiosk" / "machine.py":
                found += [text for key in node.keys if key is not None for text in texts(key)]
    return found


def texts(node: ast.AST) -> list[str]:
    return [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def test_the_operators_table_is_the_register() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    asks = {Severity.NOTE: "an eye", Severity.ACT: "a person", Severity.STOP: "a person now"}
    told = [told_fault(code, "en") for code in sorted(faults(), key=lambda code: fault(code).short)]
    rows = [
        f"| {each.short} | `{each.code}` | {asks[each.severity]} | {each.meaning} | {each.remedy} | {each.repair} |"
        for each in told
    ]
    assert "\n".join(rows) in page
    assert len(re.findall(r"^\| [A-Z]-[0-9]{2} \|", page, re.MULTILINE)) == len(rows)
