"""Letters on paper: every alphabet of Europe is spelled, and what is measured is what is printed."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from kiosk.printing.letters import CODE_PAGE, GLUE, encoded, printable

ALPHABETS = {
    "Albanian": "abcçdeëfghijklmnopqrstuvxyz",
    "Armenian": "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆև",
    "Azerbaijani": "abcçdeəfgğhxıijkqlmnoöprsştuüvyz",
    "Basque, Galician, Spanish": "abcdefghijklmnñopqrstuvwxyzáéíóúüç¿¡ªº",
    "Belarusian": "абвгдеёжзійклмнопрстуўфхцчшыьэюя",
    "Bosnian, Croatian, Serbian": "abcčćdđefghijklmnoprsštuvzž",
    "Breton": "abcdefghijklmnoprstuvwyzâêîôûùñ",
    "Bulgarian": "абвгдежзийклмнопрстуфхцчшщъьюяѝ",
    "Catalan": "abcçdefghijklŀmnopqrstuvwxyzàèéíïòóúü",
    "Czech, Slovak": "aáäbcčdďeéěfghiíjklĺľmnňoóôpqrŕřsštťuúůvwxyýzž",
    "Danish, Norwegian": "abcdefghijklmnopqrstuvwxyzæøåéèêóòâôǿ",
    "Dutch": "abcdefghijĳklmnopqrstuvwxyzëïöüéèê",
    "Estonian": "abcdefghijklmnopqrsšzžtuvwõäöüxy",
    "Faroese, Icelandic": "aábcdðeéfghiíjklmnoópqrstuúvwxyýzþæöø",
    "Finnish, Swedish": "abcdefghijklmnopqrstuvwxyzåäöšžé",
    "French": "aàâæbcçdeéèêëfghiîïjklmnoôœpqrstuùûüvwxyÿz",
    "Georgian": "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
    "German": "abcdefghijklmnopqrstuvwxyzäöüßẞ",
    "Greek": "αάβγδεέζηήθιίϊΐκλμνξοόπρσςτυύϋΰφχψωώ",
    "Greenlandic": "abcdefghijklmnopqĸrstuvwxyzæøå",
    "Hungarian": "aábcdeéfghiíjklmnoóöőpqrstuúüűvwxyz",
    "Irish, Scottish": "aábcdeéfghiílmnoóprstuúàèìòùḃċḋḟġṁṗṡṫ",
    "Italian": "abcdefghijklmnopqrstuvwxyzàèéìíîòóùú",
    "Kazakh": "аәбвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщъыіьэюя",
    "Latvian": "aābcčdeēfgģhiījkķlļmnņoprsštuūvzžōŗ",
    "Lithuanian": "aąbcčdeęėfghiįyjklmnoprsštuųūvzž",
    "Luxembourgish": "abcdefghijklmnopqrstuvwxyzéäëöü",
    "Macedonian": "абвгдѓежзѕијклљмнњопрстќуфхцчџш",
    "Maltese": "abċdefġghħijklmnopqrstuvwxżz",
    "Ossetian, Chechen": "аӕбвгдежзийклмнопрстуфхцчшщъыьэюяӏ",
    "Polish": "aąbcćdeęfghijklłmnńoóprsśtuwyzźż",
    "Portuguese": "aáàâãbcçdeéêfghiíjklmnoóôõpqrstuúvxyz",
    "Romanian": "aăâbcdefghiîjklmnopqrsșştțţuvwxyz",
    "Romansh": "abcdefghijlmnopqrstuvxzàèéìîòù",
    "Russian": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "Sami": "aáâbcčʒǯdđeéfgǧǥhijkǩlmnŋoõprsštŧuvzžåäæïöø",
    "Serbian": "абвгдђежзијклљмнњопрстћуфхцчџш",
    "Slovene": "abcčdefghijklmnoprsštuvzž",
    "Sorbian": "abcčćdeěfghijklłmnńoóprřŕsšśtuwyzžź",
    "Tatar, Bashkir": "аәбвгғдҙеёжҗзийкҡлмнңоөпрсҫтуүфхһцчшщъыьэюя",
    "Turkish": "abcçdefgğhıijklmnoöprsştuüvyzâîû",
    "Ukrainian": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "Welsh": "abcdefghijlmnoprstuwyâêîôûŵŷäëïöüẁẃẅỳ",
}


@pytest.mark.parametrize("language", ALPHABETS)
def test_every_letter_of_a_european_language_is_spelled(language: str) -> None:
    alphabet = ALPHABETS[language]
    every = alphabet + alphabet.upper() + unicodedata.normalize("NFD", alphabet)

    assert [letter for letter in every if "?" in printable(letter)] == []
    assert all(printable(letter) for letter in alphabet if letter not in "ъь")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Łukasz Żak", "Lukasz Zak"),
        ("Đorđe d.o.o.", "Dorde d.o.o."),
        ("Phare\u200b Ouest\ufeff\u2060\u00ad", "Phare Ouest"),
        ("\u202bשלום\u202c Loire", "???? Loire"),
        ("Écran 15,6″, 7′", "Écran 15,6\", 7'"),
        ("Série Ⅱ, №\u202f7, ½", f"Série II, No{GLUE}7, ½"),
        ("“Cœur” – ‘Œuvre’ — ŒUVRE…", "\"Coeur\" - 'Oeuvre' - OEUVRE..."),
        ("Switch™ © ® ﬁn", "Switch © ® fin"),
        ("e\u0301te\u0301", "été"),
        ("Παπαδόπουλος, ΑΘΗΝΑ", "Papadopoulos, ATHINA"),
        ("Щукин, ЩУКА, Ђорђе", "Shchukin, SHCHUKA, Dorde"),
        ("1\u202f369,00\u00a0€", f"1{GLUE}369,00{GLUE}€"),
        ("a\tb\x1b@\x07", "a b @ "),
        ("深圳 📱", "?? ?"),
    ],
)
def test_text_is_written_as_people_would_without_the_letter(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_any_character_takes_as_many_columns_as_were_measured() -> None:
    """Nothing in Unicode becomes a command, changes when it is written again, or prints wider than `printable` said."""
    written: set[str] = set()
    for code in range(0x20, sys.maxunicode + 1):
        text = printable(chr(code))
        if text in written:
            # What follows is asked of the text alone, and most characters are written as a question mark.
            continue
        written.add(text)
        assert printable(text) == text, hex(code)
        assert not any(unicodedata.category(letter) == "Cc" for letter in text), hex(code)
        assert len(encoded(text)) == len(text) == len(text.replace(GLUE, " ").encode(CODE_PAGE)), hex(code)
