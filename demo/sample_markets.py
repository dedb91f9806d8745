"""The countries of the sample world, each a folder of data (`demo/sample/markets/<market>/`).

`market.json` says what a market is, and under `sample` how much of the world is offered there; beside it lie the market's
partners, plans, options, laws, corners, sellers' comments, and sellers of its own where it has some.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.sample_skus import SAMPLE, Row, read_lines, read_rows

MARKETS = SAMPLE / "markets"
TABLES = ("partners", "plans", "options", "laws", "corners")


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """A market of the sample: `facts` are its own in the feed's header, `share_per_mille` of all listings are offered there.

    Home has no share: it holds what the others leave. `categories` are those sold there, None for all; a price is that many
    thousandths of the price in cents of a euro at home, in the currency's minor unit.
    """

    folder: Path
    facts: Row
    rank: int
    share_per_mille: int | None
    categories: Sequence[str] | None
    price_per_mille: int

    @property
    def market(self) -> str:
        """The market's name."""
        return self.folder.name

    def rows(self, table: str) -> list[Row]:
        """Return a table's rows, none where the country has no such file."""
        path = self.folder / f"{table}.jsonl"
        return read_lines(path) if path.exists() else []


def read_countries(added: Sequence[Path] = ()) -> list[Country]:
    """Return the sample's countries, home first, and then those of other folders."""
    own = sorted(map(_read_country, MARKETS.iterdir()), key=lambda country: country.rank)
    return [*own, *map(_read_country, added)]


def rows_of(table: str, countries: Sequence[Country] | None = None) -> list[Row]:
    """Return a table's rows in every country; sellers are those that several countries share, then each country's own."""
    shared = read_rows(table) if table == "sellers" else []
    return shared + [row for country in countries or read_countries() for row in country.rows(table)]


def _read_country(folder: Path) -> Country:
    told: Row = json.loads((folder / "market.json").read_text("utf-8"))
    sample = told.pop("sample")
    return Country(folder=folder, facts=told, **sample)
