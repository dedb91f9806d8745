"""A customer of a journey: at which door and glass they stand, in which language they read, and what the catalogue says of it.

Whatever is looked for on a page is named as they read it, by its French in the product's own catalogues; every number is reckoned
anew from the rows that HQ published.
"""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import dataclass
from gettext import NullTranslations
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

import templates
from marketplace.installation import replica_path
from pos import languages
from pos.db import connect
from pos.locales import ISOLATED, LOCALES
from tests.journeys.conftest import System

PATIENCE_MS = 20_000
GLASS = {"kiosk": (1080, 1920), "shop": (390, 844)}
"""What each door is looked at on: the kiosk's portrait screen, a phone."""
PARTS = {"kiosk": "kiosk", "shop": "marketplace"}


@dataclass(frozen=True, slots=True)
class Stand:
    """Where somebody stands, and what they read."""

    door: Literal["kiosk", "shop"]
    language: str

    def __str__(self) -> str:
        return f"{self.door} in {self.language}"


class Customer:
    """Somebody at a door, who reads and touches what a page says."""

    def __init__(self, page: Page, stand: Stand, *, base: str, catalog: Path, currency: str = "EUR") -> None:
        self.page = page
        self.stand = stand
        self.base = base
        self._catalog = catalog
        self._currency = currency
        self._sentences: NullTranslations | None = None
        for part in ("words", "shop", PARTS[stand.door]):
            self._sentences = languages.translations(part, stand.language, templates.PATH, beside=self._sentences)
        width, height = GLASS[stand.door]
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)

    def says(self, french: str, **values: Any) -> str:
        """Return a sentence of the product as this customer reads it."""
        return self._filled(self._sentences.gettext(french), values)

    def counted(self, one: str, many: str, count: int, **values: Any) -> str:
        """Return a sentence that counts."""
        return self._filled(self._sentences.ngettext(one, many, count), {"num": count, **values})

    def _filled(self, sentence: str, values: dict[str, Any]) -> str:
        """Fill values in; among words from right to left, a text stands apart (UAX #9) unless it does already."""
        if LOCALES[self.stand.language].is_right_to_left:
            values = {name: apart(value) if isinstance(value, str) else value for name, value in values.items()}
        return sentence % values

    def money(self, cents: int) -> str:
        return languages.money(cents, self._currency, self.stand.language)

    def short(self, cents: int) -> str:
        return languages.short_money(cents, self._currency, self.stand.language)

    def number(self, value: int) -> str:
        return languages.number(value, self.stand.language)

    def text(self, names: str | dict[str, str]) -> str:
        """Return a name of the catalogue, which holds it by language, in JSON where it was not read yet."""
        return languages.text_of(json.loads(names) if isinstance(names, str) else names, self.stand.language)

    def facts(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the catalogue that this door shows."""
        with closing(connect(self._catalog, durable=False)) as catalog:
            return list(catalog.execute(sql, values).fetchall())

    def fact(self, sql: str, *values: Any) -> Any:
        [[value]] = self.facts(sql, *values)
        return value

    def kind(self, category_id: str) -> str:
        """Return what a kind of device is called."""
        return self.text(self.fact("select body ->> '$.name' from category where category_id = ?", category_id))

    def plan(self, condition: str, *values: Any) -> dict[str, Any]:
        """Return the first plan of which this holds."""
        plan: dict[str, Any] = json.loads(self.facts(f"select body from plan where {condition} order by rank", *values)[0][0])
        return plan

    def opens(self, path: str) -> None:
        """Open an address in the language this customer has chosen before."""
        said = {"name": "language", "value": self.stand.language, "url": self.base}
        self.page.context.add_cookies([said])  # type: ignore[list-item]
        self.page.goto(self.base + path)

    def arrives(self) -> None:
        """Come to the first page, as a stranger does, and choose the language there."""
        page, language = self.page, self.stand.language
        page.goto(f"{self.base}/" if self.stand.door == "kiosk" else f"{self.base}/home")
        if page.evaluate("document.documentElement.lang") != language:
            name = re.compile(rf"^{languages.LANGUAGES[language]}$")
            page.get_by_role("button" if self.stand.door == "kiosk" else "link", name=name).click()
        expect(page.locator("html")).to_have_attribute("lang", language)
        if self.stand.door == "kiosk":
            page.get_by_text(self.says("Touchez pour commencer")).click()

    def follows(self, name: str) -> None:
        """Touch the first link whose name begins so."""
        self.page.get_by_role("link", name=beginning(name)).first.click()

    def reads(self, *texts: str, within: Locator | None = None) -> None:
        """Wait until these words stand there to be seen."""
        for text in texts:
            expect((within or self.page).get_by_text(text).filter(visible=True).first).to_be_visible()

    def heads(self, text: str) -> None:
        """Wait for a page with this heading."""
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(text)

    def asked(self, name: str) -> str:
        """Return what the address asks by a parameter."""
        return parse_qs(urlsplit(self.page.url).query)[name][0]


def apart(text: str) -> str:
    """Return a text between the signs that keep what stands beside it as it is."""
    return text if text.startswith(ISOLATED) else f"\u2068{text}\u2069"


def beginning(words: str) -> re.Pattern[str]:
    """Return what fits a name that begins with these words, whatever spaces part them."""
    return re.compile("^" + r"\s+".join(re.escape(word) for word in words.split()))


def customer_at(page: Page, system: System, stand: Stand) -> Customer:
    """Return a customer at a door of a running system, in its French market."""
    at_kiosk = stand.door == "kiosk"
    base = system.kiosk_url if at_kiosk else system.marketplace_url
    catalog = system.kiosk / "catalog.db" if at_kiosk else replica_path(system.marketplace, "fr")
    return Customer(page, stand, base=base, catalog=catalog)
