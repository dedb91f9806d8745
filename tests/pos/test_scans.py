from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pos import scans, tokens
from pos.scans import Scan, codes_in
from pos.tokens import CROCKFORD

EXAMPLES = json.loads((Path(__file__).parent / "token_examples.json").read_text())
DIGITS = EXAMPLES[0]["digits"]
TOKEN = tokens.decode(tokens.from_digits(DIGITS))
ADDRESS = f"https://comptoir.example/k/{DIGITS}"

CODES = {
    "address": (ADDRESS, Scan(kind="slip", value=tokens.slip_number(TOKEN.corner_no, TOKEN.counter), digits=DIGITS)),
    "number": ("35-0001-H", Scan(kind="slip", value="35-0001-H")),
    "device": (scans.code_of("device", "7K3M9QXT"), Scan(kind="device", value="7K3M9QXT")),
    "place": (scans.code_of("place", "ABCDEFGH"), Scan(kind="place", value="ABCDEFGH")),
    "badge": (scans.code_of("badge", "0123456789"), Scan(kind="badge", value="0123456789")),
    "selection": (scans.code_of("selection", "WXYZ0"), Scan(kind="selection", value="WXYZ0")),
    "product": ("4006381333931", Scan(kind="product", value="4006381333931")),
}
SYMBOLS = {kind: st.text(st.sampled_from(CROCKFORD), min_size=size, max_size=size) for kind, (_, size) in scans.FORMS.items()}
OWN = st.one_of(
    *[st.builds(lambda value, kind=kind: (scans.code_of(kind, value), kind, value), SYMBOLS[kind]) for kind in SYMBOLS]
)


def nothing(text: str) -> list[Scan]:
    return [Scan(kind="nothing", value=text)]


@pytest.mark.parametrize("name", CODES)
def test_each_code_is_told_from_the_others(name: str) -> None:
    text, scan = CODES[name]

    assert codes_in(text) == codes_in(f" {text}\r\n") == codes_in(text.lower()) == [scan]


@pytest.mark.parametrize(("first", "second"), list(itertools.product(CODES, repeat=2)))
def test_two_codes_run_together_are_told_apart(first: str, second: str) -> None:
    assert codes_in(CODES[first][0] + CODES[second][0]) == [CODES[first][1], CODES[second][1]]


def test_a_whole_round_in_one_breath_is_read_in_its_order() -> None:
    names = list(CODES) * 5
    random.Random(12).shuffle(names)

    assert codes_in("".join(CODES[name][0] for name in names)) == [CODES[name][1] for name in names]


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("layout", [str.maketrans(scans.QWERTY, scans.AZERTY), str.maketrans(scans.AZERTY, scans.QWERTY)])
def test_a_scanner_set_to_another_keyboard_is_understood(name: str, layout: dict[int, int]) -> None:
    text, scan = CODES[name]
    typed = text.translate(layout)

    assert typed != text
    assert codes_in(typed) == [scan]
    assert codes_in(typed + typed) == [scan, scan]


def test_azerty_digits_are_digits() -> None:
    assert codes_in('\'àà-"_&"""ç"&') == [CODES["product"][1]]


@pytest.mark.parametrize("dash", "‐‑–—−－")
def test_wide_letters_and_other_dashes_are_the_plain_ones(dash: str) -> None:
    wide = scans.code_of("device", "7K3M9QXT").replace("-", dash).replace("7", "７").replace("K", "Ｋ")

    assert codes_in(wide) == [CODES["device"][1]]


def test_letters_taken_for_digits_are_forgiven() -> None:
    assert codes_in(scans.code_of("device", "01011010").replace("0", "o").replace("1", "l")) == [
        Scan(kind="device", value="01011010")
    ]


@pytest.mark.parametrize("typed", ["350001h", "35 0001 h", "35.OOO1/H"])
def test_a_typed_slip_number_is_read_as_people_type_it(typed: str) -> None:
    assert codes_in(typed) == [CODES["number"][1]]


@pytest.mark.parametrize(
    "garbage",
    [
        "Camille",
        "4006381333932",
        "12345",
        "D-",
        "D-7K3M9QXT",
        "B-0000000000U",
        "U-7K3M9QXT4",
        "-" * 50,
        "é" * 9,
        "https://comptoir.example/k/",
        f"https://comptoir.example/k/{DIGITS[:-40]}",
        "１２",
        "D-7K3M9QXT\ud800",
    ],
)
def test_what_is_no_code_is_said_to_be_nothing(garbage: str) -> None:
    assert {scan.kind for scan in codes_in(garbage)} == {"nothing"}


def test_an_empty_text_holds_nothing_at_all() -> None:
    assert codes_in("") == codes_in(" \r\n\t\x00\x1d ") == []


def test_a_code_after_half_a_code_is_found() -> None:
    device = scans.code_of("device", "7K3M9QXT")

    assert codes_in(device[:6] + device) == [Scan(kind="nothing", value=device[:6]), CODES["device"][1]]
    assert codes_in(device + device[4:]) == [CODES["device"][1], *nothing(device[4:])]


def test_what_could_be_read_in_two_ways_is_nothing() -> None:
    """An article code of eight digits and one of thirteen, whose digits also are one of thirteen and one of eight."""
    both = next(
        text
        for number in range(10**6)
        if (text := f"{number:08d}{number * 7919:013d}")[:21]
        and all(scans.ean.is_valid(part) for part in (text[:8], text[8:], text[:13], text[13:]))
    )

    assert codes_in(both) == nothing(both)


@pytest.mark.parametrize("sign", ["D-", "1", "https://a/k/1", "é", "-", "D", "/K/", "4006381333931"])
def test_ten_thousand_characters_are_answered(sign: str) -> None:
    text = (sign * 10_000)[:10_000]

    assert sum(len(scan.value) for scan in codes_in(text)) <= len(text)


@given(st.lists(OWN, min_size=1, max_size=12))
def test_our_own_codes_run_together_split_without_doubt(codes: list[tuple[str, scans.OwnKind, str]]) -> None:
    assert codes_in("".join(text for text, _, _ in codes)) == [Scan(kind=kind, value=value) for _, kind, value in codes]


@given(OWN, st.integers(2, 12), st.sampled_from(CROCKFORD))
def test_a_symbol_read_wrong_is_refused(code: tuple[str, scans.OwnKind, str], at: int, symbol: str) -> None:
    text = code[0]
    at = 2 + at % (len(text) - 2)
    wrong = text[:at] + symbol + text[at + 1 :]

    assert codes_in(wrong) == (nothing(wrong) if wrong != text else [Scan(kind=code[1], value=code[2])])


@given(st.text(max_size=60))
def test_any_text_is_answered_and_none_opens_a_badge_by_chance(text: str) -> None:
    for scan in codes_in(text):
        assert scan.value
        if scan.kind in scans.FORMS:
            assert scans.code_of(scan.kind, scan.value)


@given(corner_no=st.integers(1, 2**20 - 1), counter=st.integers(1, 2**20 - 1), product=st.integers(0, 10**12 - 1))
def test_a_product_before_a_slip_number_is_never_read_as_another(corner_no: int, counter: int, product: int) -> None:
    number, article = tokens.slip_number(corner_no, counter), f"{product:012d}"
    article += scans.ean.calc_check_digit(article)

    both = codes_in(article + number)

    assert both in ([Scan(kind="product", value=article), Scan(kind="slip", value=number)], nothing(article + number))


def test_many_starts_of_one_address_do_not_have_its_digits_read_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bytes] = []
    decode = tokens.decode
    monkeypatch.setattr(tokens, "decode", lambda token: (tried.append(token), decode(token))[1])

    assert codes_in("http://" * 28 + "shop.example/k/" + "9" * 901)[0].kind == "nothing"

    assert 0 < len(tried) < 2_000


def test_a_derived_code_is_the_same_on_every_machine_and_another_for_each_corner() -> None:
    assert scans.place_value("nantes-crebillon", "A1") == "9006S8FX"
    assert scans.place_value("nantes-crebillon", "A2") != scans.place_value("nantes-crebillon", "A1")
    assert scans.place_value("paris-beaubourg", "A1") != scans.place_value("nantes-crebillon", "A1")


@pytest.mark.parametrize("value", ["", "7K3M9QX", "7K3M9QXTT", "7K3M9QXU", "7k3m9qxt"])
def test_a_code_is_made_of_what_it_holds_only(value: str) -> None:
    with pytest.raises(ValueError, match="not 8 symbols"):
        scans.code_of("device", value)
