"""Files as sellers' spreadsheets and programs really write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.sellers import workbooks
from marketplace.sellers.fields import WrongField, money
from marketplace.sellers.sheets import MOST_LINES, BadRow, FileRefused, read_sheet
from marketplace.sellers.verdicts import SentRow
from tests.marketplace.sellers.workbook import cell, workbook, workbook_of


def refusal(content: bytes) -> tuple[str, int, str]:
    with pytest.raises(FileRefused) as refused:
        read_sheet(content)
    problem = refused.value.data["problem"]
    return problem.code, problem.line, problem.field


@pytest.mark.parametrize(
    "content",
    [
        b"sku;price\nA;359,00\n",
        b'sku,price\nA,"359,00"\n',
        b"sku\tprice\r\nA\t359,00\r\n",
        b'\xef\xbb\xbf"Price";"SKU"\r\n"359,00";A\r\n\r\n;\r\n\r\n',
        b"\n\nseller_sku;price;;\nA;359,00;;\n",
        b'sku;price\n="A";"359,00"\n',
    ],
    ids=["semicolon", "comma", "tab", "BOM, CRLF, any order, empty end", "empty columns", "a formula that keeps text"],
)
def test_one_row_is_read_whatever_wrote_it(content: bytes) -> None:
    [row] = read_sheet(content)
    assert isinstance(row, SentRow)
    assert row.fields == {"sku": "A", "price": "359,00"}


def test_windows_1252_is_read_without_loss() -> None:
    [row] = read_sheet("sku;comment\nA;Écran d’origine, 5 € œuvré\n".encode("cp1252"))
    assert isinstance(row, SentRow)
    assert row.fields["comment"] == "Écran d’origine, 5 € œuvré"
    assert refusal(b"sku;comment\nA;ok\nB;\xc9cran \x81\n") == ("encoding", 3, "")


def test_a_bad_row_spoils_itself_alone_and_keeps_its_line() -> None:
    rows = read_sheet(b'sku;comment\nA;"two\nlines"\nB;"never closed\nC;x;y\nD\nE;fine\n')
    assert [(row.line, row.problem.code if isinstance(row, BadRow) else row.fields["sku"]) for row in rows] == [
        (2, "A"),
        (4, "bad_quotes"),
        (5, "wrong_columns"),
        (6, "wrong_columns"),
        (7, "E"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", ("empty_file", 0, "")),
        (b"sku;price\n\n", ("empty_file", 0, "")),
        (b"price\n3\n", ("missing_column", 1, "sku")),
        (b"sku;pirce\nA;3\n", ("unknown_column", 1, "pirce")),
        (b"sku;stock;quantity\nA;3;4\n", ("column_twice", 1, "quantity")),
        ("sku;price\n".encode("utf-16"), ("not_text", 0, "")),
        (b"%PDF-1.7\0", ("not_text", 0, "")),
        (b"sku\n" + b"A\n" * (MOST_LINES + 1), ("too_many_lines", MOST_LINES + 2, "")),
        (b"PK\x03\x04 no archive", ("not_a_workbook", 0, "")),
        (workbook(["sku"], ["A"])[:-40], ("not_a_workbook", 0, "")),
        (workbook_of("<row><c>"), ("not_a_workbook", 0, "")),
        (workbook(["sku"], *([["A"]] * (MOST_LINES + 1))), ("too_many_lines", MOST_LINES + 2, "")),
    ],
)
def test_a_file_whose_header_or_kind_is_wrong_is_refused_whole(content: bytes, reason: tuple[str, int, str]) -> None:
    assert refusal(content) == reason


def test_a_workbook_keeps_whole_eans_and_amounts_without_the_dust_of_sums() -> None:
    rows = read_sheet(workbook(["sku", "ean", "price", "quantity"], ["A", 4006381333931, 359.90, 3], [], ["B", "", 0.1 + 0.2, 1]))
    assert [row.fields for row in rows if isinstance(row, SentRow)] == [
        {"sku": "A", "ean": "4006381333931", "price": "359.9", "quantity": "3"},
        {"sku": "B", "ean": "", "price": "0.3", "quantity": "1"},
    ]
    assert [row.line for row in rows] == [2, 4]


@pytest.mark.parametrize(
    "sheet",
    [
        f'<row r="1">{cell("A1", "sku")}</row><row r="1048576">{cell("XFD1048576", "x")}</row>',
        f'<row r="1">{cell("A1", "sku")}</row>' + " " * 300_000_000,
    ],
    ids=["one far cell", "packed spaces"],
)
def test_a_bomb_is_refused_and_harms_nobody(sheet: str) -> None:
    assert refusal(workbook_of(sheet))[0] in ("not_a_workbook", "too_many_lines", "empty_file")


def test_a_workbook_of_little_that_says_much_is_not_read_to_its_end() -> None:
    long = f"<row>{cell('A1', 'x' * workbooks.MOST_TEXT) * workbooks.MOST_COLUMNS}</row>".replace(' r="A1"', "")
    most = workbooks.MOST_BYTES // (workbooks.MOST_TEXT * workbooks.MOST_COLUMNS)
    content = workbook_of(f"<row>{cell('A1', 'sku')}</row>".replace(' r="A1"', "") + long * (most + 1))
    assert len(content) < 300_000
    assert refusal(content)[0] == "too_many_lines"


@given(st.binary(max_size=300))
def test_any_bytes_are_rows_or_a_refusal(content: bytes) -> None:
    if content.startswith(b"PK"):
        return
    try:
        rows = read_sheet(b"sku;comment\n" + content)
    except FileRefused:
        return
    lines = [row.line for row in rows]
    assert lines == sorted(set(lines))


def test_cells_are_told_as_a_person_would_type_them() -> None:
    assert [workbooks.text_of(value) for value in (True, 12.0, 7, "x")] == ["1", "12", "7", "x"]


@pytest.mark.parametrize("text", ["1 209,00 €", "1\u202f209,00\u00a0€", "€1209", "1.209,00 EUR", "1209.00"])
def test_an_amount_is_read_as_spreadsheets_of_our_markets_write_it(text: str) -> None:
    assert money(text, currency="EUR") == 120900


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("$1209", "wrong_currency"),
        ("1209 £", "wrong_currency"),
        ("1.209", "ambiguous"),
        ("1209 €€", "not_an_amount"),
        ("€", "empty"),
    ],
)
def test_an_amount_of_another_currency_or_in_two_senses_is_refused(text: str, code: str) -> None:
    with pytest.raises(WrongField) as wrong:
        money(text, currency="EUR")
    assert wrong.value.code == code


def test_a_dollar_is_the_market_s_own() -> None:
    assert (money("$12.50", currency="USD"), money("12.50 $", currency="CAD")) == (1250, 1250)
