"""The floor under the shop's pages: a bare Flask page with the same cards, facets and counts, by the plainest SQL and Jinja.

`python -m bench.floor CATALOG PORT` serves it on the kiosk's own server and threads. It knows one language, one currency and
no refusal, asks the tables that the kiosk's pages read, and leaves it to SQLite how.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

from flask import Flask, request
from sqlite_utils import Database

from kiosk.door import KioskServer
from pos.db import connect

CARDS = 18
"""As many as the list of the shop shows (`shop.browse.PAGE`)."""
BARS = 24
"""As many as draw how prices are spread (`pos.facets.BARS`)."""
FACETS = {
    "category": "shelf.category_id",
    "brand": "shelf.brand",
    "storage": "shelf.storage_gb",
    "color": "sku.body ->> '$.color.name.fr'",
    "network": "sku.body ->> '$.specs.network'",
    "screen": "sku.body ->> '$.specs.screen_tenths_in'",
    "ram": "sku.body ->> '$.specs.ram_gb'",
}
CONDITIONS = {
    "category": "shelf.category_id = :category",
    "brand": "shelf.brand = :brand",
    "storage": "shelf.storage_gb = :storage",
    "max": "shelf.from_cents <= 100 * :max",
    "grade": """exists (select 1 from offer where offer.sku_id = shelf.sku_id
      and grade_id = (select grade_id from grade where body ->> 'code' = :grade))""",
}
ORDERS = {"popular": "shelf.rank", "price": "shelf.from_cents", "-price": "shelf.from_cents desc", "new": "shelf.year desc"}
PAGE = """<!doctype html>
<html lang="fr"><head><meta charset="utf-8"><title>Parcourir</title></head><body>
<nav>
{% for kind in categories %}
  <a href="/browse?category={{ kind.category_id }}">{{ kind.name }}</a>
{% endfor %}
</nav>
<form>
  <svg viewBox="0 0 240 100">
  {% for bar in bars %}<rect x="{{ bar.place * 10 }}" y="0" width="8" height="{{ bar.skus }}"/>{% endfor %}
  </svg>
  {% for name, values in facets.items() %}
  <details><summary>{{ name }}</summary>
  {% for each in values %}
    <label><input type="checkbox" name="{{ name }}" value="{{ each.value }}">{{ each.value }}
      <small>{{ each.skus }}</small></label>
  {% endfor %}
  </details>
  {% endfor %}
</form>
{% for card in cards %}
<article class="device">
  <a href="/sku/{{ card.sku }}">
    <img src="/drawings/{{ card.form }}-{{ card.hex }}-{{ card.lenses }}.svg" alt="" width="240" height="240" loading="lazy">
    <p class="fine">{{ card.brand }}</p>
    <h2>{{ card.model }}{% if card.storage_gb %} <span class="nowrap">{{ card.storage_gb }} Go</span>{% endif %}</h2>
    <p class="fine">{{ card.color }} · {{ card.year }}</p>
    <p class="price">{{ card.price }}</p>
  </a>
  <span class="fine">{{ card.grades }} grades</span>
  <label><input type="checkbox" name="sku" value="{{ card.sku }}">Comparer</label>
</article>
{% endfor %}
</body></html>"""


def make_app(path: Path) -> Flask:
    """Make the app over a kiosk's `catalog.db`."""
    app, local = Flask("floor"), threading.local()
    template = app.jinja_env.from_string(PAGE)

    @app.get("/browse")
    def page() -> str:
        if not hasattr(local, "catalog"):
            local.catalog = connect(path, durable=False)
        asked = {name: value for name, value in request.args.items() if value}
        return template.render(cards=_cards(local.catalog, asked), **_facets(local.catalog, asked))

    return app


def _cards(catalog: Database, asked: dict[str, str]) -> list[dict[str, Any]]:
    rows = catalog.execute(
        f"""
        select sku.sku, sku.brand, sku.model, sku.storage_gb, sku.year, sku.body, shelf.from_cents, shelf.grades,
          category.body ->> 'form'
        from shelf join sku using (sku_id) join category on category.category_id = shelf.category_id
        where {_where(asked)} order by {ORDERS[asked.get("sort", "popular")]}, shelf.sku_id limit {CARDS}
        """,
        _given(asked),
    )
    return [_card(*row) for row in rows]


def _card(
    sku: str, brand: str, model: str, storage_gb: int | None, year: int, body: str, cents: int, grades: int, form: str
) -> dict[str, Any]:
    facts = json.loads(body)
    color = facts.get("color") or {"name": {"fr": ""}, "hex": "#4f5d63"}
    return {
        "sku": sku,
        "brand": brand,
        "model": model,
        "storage_gb": storage_gb,
        "year": year,
        "color": color["name"]["fr"],
        "hex": color["hex"][1:],
        "lenses": (facts.get("specs") or {}).get("lenses", 0),
        "price": f"{cents // 100},{cents % 100:02} €",
        "grades": grades.bit_count(),
        "form": form,
    }


def _where(asked: dict[str, str], own: str = "") -> str:
    return " and ".join(text for name, text in CONDITIONS.items() if name in asked and name != own) or "true"


def _given(asked: dict[str, str], own: str = "") -> dict[str, str]:
    return {name: value for name, value in asked.items() if name in CONDITIONS and name != own}


def _facets(catalog: Database, asked: dict[str, str]) -> dict[str, Any]:
    """Count the values of each facet, every condition applied but its own; screens and memory within a category, as the shop."""
    names = [name for name in FACETS if name not in ("screen", "ram") or "category" in asked]
    counted = {
        name: list(
            catalog.query(
                f"""
                select {FACETS[name]} as value, count(*) as skus from shelf join sku using (sku_id)
                where {_where(asked, name)} group by 1 order by 2 desc limit 24
                """,
                _given(asked, name),
            )
        )
        for name in names
    }
    counted["grade"] = list(
        catalog.query(
            f"""
            select grade.body ->> 'code' as value, count(*) as skus
            from shelf join offer on offer.sku_id = shelf.sku_id join grade on grade.grade_id = offer.grade_id
            where {_where(asked, "grade")} group by 1
            """,
            _given(asked, "grade"),
        )
    )
    bars = catalog.query(
        f"""
        with listed as (select from_cents from shelf where {_where(asked, "max")}),
          ends as (select min(from_cents) as least, max(from_cents) - min(from_cents) + 1 as width from listed)
        select (from_cents - least) * {BARS} / width as place, count(*) as skus from listed, ends group by 1
        """,
        _given(asked, "max"),
    )
    return {
        "categories": list(catalog.query("select category_id, body ->> '$.name.fr' as name from category order by rank")),
        "facets": counted,
        "bars": list(bars),
    }


if __name__ == "__main__":
    server = KioskServer(("127.0.0.1", int(sys.argv[2])))
    server.prepare()
    server.wsgi_app = make_app(Path(sys.argv[1]))
    server.serve()
