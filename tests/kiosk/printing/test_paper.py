from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zxingcpp

from demo.paper import Cut, pictures
from kiosk.printing import paper
from kiosk.printing.letters import printable
from kiosk.printing.profiles import usual_paper
from pos import qr, selections, slips
from pos.line_facts import Wish
from tests import world
from tests.kiosk.slip_facts import bundle_facts, five_lines_facts, slip_url
from tests.world import NOW


def printed(facts: dict[str, Any], url: str = slip_url(), *, paper_mm: int = 80, language: str = "fr", copy_no: int = 0) -> Cut:
    """Return the one paper a slip makes, without a command the printer would not know."""
    data = paper.slip_bytes(facts, url, paper=usual_paper(paper_mm), language=language, copy_no=copy_no)
    (cut,) = pictures(data, paper_mm=paper_mm)
    assert cut.errors == ()
    return cut


def test_loading_the_encoder_leaves_nothing_in_the_temporary_directory(tmp_path: Path) -> None:
    """A kiosk starts every night for years."""
    script = "import os; from kiosk.printing import paper; paper._encoder(); print('escpos' in __import__('sys').modules)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == "True\n"
    assert list(tmp_path.iterdir()) == []


def words(cut: Cut) -> str:
    return " ".join(cut.text.split())


@pytest.mark.parametrize(
    ("facts", "paper_mm", "copy_no", "sha256"),
    [
        (bundle_facts(), 80, 0, "a53b7b2e1aac6017"),
        (bundle_facts(), 58, 0, "72b3ea29bc7faedd"),
        (bundle_facts(), 80, 1, "6b59330bf32a27a4"),
        (five_lines_facts(), 80, 0, "bde4f0b150441fb9"),
        (five_lines_facts(), 58, 0, "e80ba83221bcf9b2"),
    ],
)
def test_the_same_facts_give_the_same_bytes(facts: dict[str, Any], paper_mm: int, copy_no: int, sha256: str) -> None:
    """Look at the picture before accepting a new hash: this is what customers hold."""
    data = paper.slip_bytes(facts, slip_url(), paper=usual_paper(paper_mm), language="fr", copy_no=copy_no)

    assert hashlib.sha256(data).hexdigest()[:16] == sha256


@pytest.mark.parametrize(("language", "paper_mm"), [("fr", 80), ("en", 58), ("es", 80), ("de", 58)])
@pytest.mark.parametrize(("facts", "token_bytes"), [(bundle_facts(), 136), (five_lines_facts(), 178)])
def test_the_code_is_read_back_from_the_paper(facts: dict[str, Any], token_bytes: int, paper_mm: int, language: str) -> None:
    url = slip_url(token_bytes)
    cut = printed(facts, url, paper_mm=paper_mm, language=language)

    assert [code.text for code in zxingcpp.read_barcodes(cut.picture)] == [url]


@pytest.mark.parametrize("paper_mm", [80, 58])
def test_a_copy_says_so_and_carries_the_same_code(paper_mm: int) -> None:
    original, copy = (printed(bundle_facts(), paper_mm=paper_mm, copy_no=number) for number in (0, 3))

    assert "DUPLICATA 3" in copy.text
    assert "DUPLICATA" not in original.text
    assert [code.text for code in zxingcpp.read_barcodes(copy.picture)] == [slip_url()]


@pytest.mark.parametrize("paper_mm", [80, 58])
@pytest.mark.parametrize(
    "said",
    [
        "Nantes Crébillon",
        "RÉCAPITULATIF DE SÉLECTION",
        "Ni facture, ni ticket de caisse. Rien n'a été réglé ici.",
        "4K-7T2Q-9",
        "Valable jusqu'au 6 décembre 2026, 23:59",
        "Apple iPhone 13 369,00 €",
        "128 Go · Bleu · Très bon état",
        "Batterie 88 % (80 % au moins)",
        "Vendeur : Atelier Loire SAS",
        "Livraison comprise, en 3 jours",
        "Garantie légale 24 mois, commerciale 12 mois",
        "TVA sur la marge, non récupérable",
        "Dont rémunération pour copie privée : 10,08 €",
        "Environ 49 kg de CO2e évités sur 2 ans par rapport au neuf (source : ADEME 2022)",
        "Série 100 Go 14,99 €/mois",
        "pendant 12 mois, puis 24,99 € pendant 12 mois",
        "Engagement 24 mois",
        "Résumé du contrat, version 2026-11 : https://example.invalid/resume/serie-100",
        "Réparation illimitée",
        "Prix comptant 169,00 €",
        "Acompte à la commande 49,00 €",
        "Mensualité, 24 fois 5,00 €",
        "Montant total dû 120,00 €",
        "Un crédit vous engage et doit être remboursé.",
        "À la commande 50,00 €",
        "Par mois, 12 mois 26,98 €",
        "puis, 12 mois 36,98 €",
        "Dont pour l'appareil : 5,00 € chaque mois, pendant 24 mois.",
        "Total sur 24 mois 817,52 €",
        "le plus bas des deux s'applique",
        "Garantie légale de conformité : 24 mois dès la livraison, due par le vendeur.",
        "Rétractation : 14 jours",
        "Prix du catalogue n° 7.",
    ],
)
def test_the_slip_says(paper_mm: int, said: str) -> None:
    text = words(printed(bundle_facts(), paper_mm=paper_mm))
    # An amount stands on the first line of its words, whatever the width.
    if paper_mm == 58 and said not in text:
        assert all(word in text for word in said.split())
    else:
        assert said in text


def test_amounts_stand_in_one_column() -> None:
    lines = [line for line in printed(bundle_facts()).text.split("\n") if re.search(r"\d,\d\d €$", line) and line[0] != " "]
    plain = [line for line in lines if re.match(r"Apple|Avantage|Mise|Prix comptant|Acompte|Montant", line.strip())]

    assert {len(line) for line in plain} == {48}


@pytest.mark.parametrize(("paper_mm", "columns"), [(80, 64), (58, 42)])
def test_no_line_is_wider_than_the_paper(paper_mm: int, columns: int) -> None:
    facts = five_lines_facts()
    facts["lines"][0]["listing"]["title"] = "Appareil au nom interminable " * 4
    facts["lines"][1]["listing"]["title"] = "X" * 90
    facts["corner"]["name"] = "Saint-Rémy-lès-Chevreuse Centre commercial"

    assert max(len(line) for line in printed(facts, paper_mm=paper_mm).text.split("\n")) <= columns


def test_english_customers_get_english() -> None:
    text = words(printed(bundle_facts(), language="en"))

    assert "YOUR SELECTION" in text
    assert "Not proof of purchase. No money was taken here." in text
    assert "When you order €50.00" in text
    assert "24 months" in text
    assert not re.search(r"\b(mois|Garantie|Vendeur|Livraison|Total sur|facture|jours)\b", text)
    assert not re.search(r"\b(sale|sold|payment|paid|receipt|invoice|checkout|cart)\b", text, re.IGNORECASE)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("es", ("RESUMEN DE LA SELECCIÓN", "Al hacer el pedido 50,00 €", "24 meses")),
        ("de", ("ZUSAMMENFASSUNG DER AUSWAHL", "Bei der Bestellung 50,00 €", "24 Monate")),
    ],
)
def test_paper_speaks_every_language_it_has_letters_for(language: str, said: tuple[str, ...]) -> None:
    text = words(printed(bundle_facts(), language=language))

    assert [each for each in said if each not in text] == []
    assert "?" not in text, "a letter that printers lack"
    assert not re.search(r"\b(mois|Garantie légale|Vendeur|Livraison|Total sur|facture|jours)\b", text)


def test_what_does_not_apply_is_not_said() -> None:
    facts = bundle_facts()
    facts["lines"][0].update(plan=None, options=[], credit=None)
    facts["lines"][0]["listing"].update(co2=None, copy_levy_cents=None, battery_pct=None, vat_note="regular")
    facts["totals"].update(monthly_now_cents=0, monthly_later_cents=0, horizon_months=0, refund_cents=0, instalments=[])
    facts["guarantees"] = {"legal_months": None, "withdrawal_days": None}

    text = words(printed(facts))

    for absent in (
        "CO2",
        "copie privée",
        "Batterie",
        "marge",
        "crédit",
        "Par mois",
        "Total sur",
        "remboursement",
        "légale",
        "14 jours",
    ):
        assert absent not in text
    assert "Prix TTC, TVA comprise." in text
    assert "Garantie commerciale : 12 mois" in text


def test_prices_without_local_taxes_say_so() -> None:
    text = words(printed({**bundle_facts(), "market": "us", "currency": "USD", "tax_included": False}))

    assert "hors taxes locales" in text
    assert "TTC" not in text


def test_a_token_too_long_for_the_paper_leaves_the_number() -> None:
    cut = printed(bundle_facts(), slip_url(900), paper_mm=58)

    assert zxingcpp.read_barcodes(cut.picture) == []
    assert "Code trop grand pour ce papier : donnez le numéro du bon." in words(cut)
    assert "4K-7T2Q-9" in cut.text


def test_names_from_the_catalogue_cannot_command_the_printer() -> None:
    facts = bundle_facts()
    facts["lines"][0]["listing"]["title"] = "Phone\x1bp\x00\x19\xfa\x10\x14\x01\x00\x01\x1dV\x00"

    data = paper.slip_bytes(facts, slip_url(), paper=usual_paper(80), language="fr", copy_no=0)

    assert b"\x1bp" not in data
    assert b"\x10\x14" not in data
    assert len(pictures(data)) == 1


@pytest.mark.parametrize("token_bytes", range(88, 300, 4))
def test_images_hold_no_real_time_command(token_bytes: int) -> None:
    """Printers execute DLE EOT, ENQ and DC4 even inside image data."""
    data = paper.slip_bytes(bundle_facts(), slip_url(token_bytes), paper=usual_paper(80), language="fr", copy_no=0)

    assert not re.search(rb"\x10[\x04\x05\x14]", data)


@pytest.mark.parametrize("paper_mm", [80, 58])
@pytest.mark.parametrize("copy_no", [0, 2])
def test_a_printer_that_starts_in_chinese_mode_is_told_to_leave_it_before_any_accent(paper_mm: int, copy_no: int) -> None:
    data = paper.slip_bytes(five_lines_facts(), slip_url(), paper=usual_paper(paper_mm), language="fr", copy_no=copy_no)
    reset, left = data.index(b"\x1b@"), data.index(b"\x1c.")

    assert reset < left < min(at for at, byte in enumerate(data) if byte >= 0x80)
    assert data.count(b"\x1b@") == 1


@pytest.mark.parametrize(("paper_mm", "columns"), [(80, 48), (58, 32)])
@pytest.mark.parametrize(
    "title",
    [
        "Machine Cœur de Lœuf",
        "Console… édition",
        "Nintendo Switch™ OLED",
        "Écran 15,6″ ½",
        "Щётка Ⅷ",
        "茶壶 Ŋ",
        "e\u0301te\u0301 \u200bbien",
    ],
)
def test_an_amount_ends_at_the_edge_whatever_letters_stand_before_it(title: str, paper_mm: int, columns: int) -> None:
    facts = bundle_facts()
    facts["lines"][0]["listing"]["title"] = title
    line = next(line for line in printed(facts, paper_mm=paper_mm).text.split("\n") if "369,00" in line)

    assert line.startswith(printable(title)[:6])
    assert line.endswith("€")
    assert len(line) == columns


def test_a_slip_issued_by_the_kiosk_is_printed_whole(kiosk: world.Kiosk) -> None:
    wish = Wish(listing_id=101, plan_id=world.ETALE_200, option_ids=(world.REPAIR,), seen_cents=36900)
    with kiosk.ops_write() as ops:
        selection_id = selections.start_selection(ops.execute, now=NOW)
        selections.add_line(ops.execute, kiosk.catalog.read(), selection_id, wish=wish, now=NOW)
        slip = slips.issue_slip(ops, kiosk.catalog.read(), selection_id, device=kiosk.device, seen=None, language="fr", now=NOW)
    cut = printed(slip.facts, f"{world.SLIP_PREFIX}{slip.digits}")

    assert [code.text for code in zxingcpp.read_barcodes(cut.picture)] == [f"{world.SLIP_PREFIX}{slip.digits}"]
    assert slip.number in cut.text
    assert "Série 200 Go étalée" in cut.text


@pytest.mark.parametrize(
    ("token_bytes", "width_dots", "side", "module_dots"),
    [
        (100, 576, 53, 6),
        (136, 576, 61, 6),
        (250, 576, 77, 6),
        (136, 384, 61, 5),
        (178, 384, 57, 5),  # Q would fit at 4 dots only: M at 5
        (328, 384, 73, 4),
    ],
)
def test_paper_codes_are_as_large_and_as_safe_as_fits(token_bytes: int, width_dots: int, side: int, module_dots: int) -> None:
    code = paper.paper_code(slip_url(token_bytes), width_dots=width_dots)

    assert code is not None
    assert (len(code.modules), code.module_dots) == (side, module_dots)
    assert (side + 2 * qr.QUIET_ZONE) * module_dots <= width_dots


def test_a_code_too_fine_to_be_read_is_refused() -> None:
    assert paper.paper_code(slip_url(900), width_dots=384) is None
