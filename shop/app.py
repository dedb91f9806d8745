"""What makes a Flask app a door of the shop: its languages, checks, headers and static files, and the shop's own routes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

from flask import Flask
from flask_htmx import HTMX

import templates
from pos.origins import Cause
from shop import (
    assets,
    browse,
    compare,
    finder,
    how_it_works,
    looks,
    media,
    plans,
    price_past,
    scans,
    selections,
    skus,
    tariffs,
    web,
)
from shop.door import Door
from shop.filters import filters_of
from shop.languages import Pages, page_environment
from shop.specs import spec_value
from sync.incoming import PlainRequest, Whole, refuse_many_fields

ROUTES = (
    browse.routes,
    scans.routes,
    skus.routes,
    price_past.routes,
    media.routes,
    compare.routes,
    finder.routes,
    plans.routes,
    selections.routes,
    how_it_works.routes,
    looks.routes,
)


def set_up(app: Flask, door: Door, *, refused: tuple[Cause, ...], headers: Mapping[str, str] | None = None) -> None:
    """Give `app` what all its pages share, and the shop.

    Unsafe requests that a `refused` cause sent do nothing; `headers` are added to those of every answer.
    """
    app.jinja_environment = Pages
    app.request_class = PlainRequest
    app.url_map.converters["int"] = Whole
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.auto_reload = False
    parts = {"frame": door.frame, "ending": door.ending, "companion": door.companion, "keeper": door.keeper}
    app.jinja_env.globals.update(**parts, porting=tariffs.porting, laws=tariffs.laws)
    app.jinja_env.filters.update(drawing=media.drawing_url, with_drawings=media.with_drawings, drawn=media.drawn, spec=spec_value)
    HTMX(app)
    assets.add_assets(app, templates.PATH / "static")
    app.extensions["shop"] = door
    # Made at the first page in each: until then the app's parts bring filters of their own.
    app.extensions["comptoir-languages"] = cache(lambda code: page_environment(app.jinja_env, door.part, code, filters_of))
    app.context_processor(web.shared_context)
    app.before_request(web.start_clock)
    app.before_request(refuse_many_fields)
    app.before_request(partial(web.refuse_foreign, refused))
    app.after_request(partial(web.add_headers, {**web.HEADERS, **(headers or {})}))
    for routes in ROUTES:
        app.register_blueprint(routes)
