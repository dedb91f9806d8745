"""The first screens: attract, home with the demo devices of this corner's table, and what a visitor sets or wipes.

What a visitor chose (language, view) lives in cookies that leaving clears; their selection is deleted then too.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, after_this_request, request
from sqlite_utils import Database

from kiosk import calls, files, speech
from pos import claims, clock, demo_devices, offers, skus
from pos.errors import Invalid
from pos.helps import wipe_visit
from pos.ops import setting
from pos.planogram import drawn_rows
from shop import forms, web
from shop.door import visitor
from shop.tariffs import has_plans

routes = Blueprint("home", __name__)

POSTER = 12
"""How many devices take turns on the first screen."""


@routes.get("/")
def attract() -> Response:
    """Show what passers-by see; before enrolment, what whoever sets the kiosk up compares with HQ."""
    if files.kiosk().ops is not None and setting(files.ops(), "corner") is None:
        enrolment = setting(files.ops(), "enrolment")
        ends_at = enrolment.get("ends_at") if enrolment else None
        has_expired = ends_at is not None and clock.to_text(clock.now()) >= ends_at
        return web.page("kiosk/enrolment.html", enrolment=enrolment, has_expired=has_expired)
    return web.page("kiosk/attract.html", spots=_varied(demo_spots(files.catalog()))[:POSTER])


@routes.get("/home")
def home() -> Response:
    """Show the table of this corner, the search and the categories."""
    catalog = files.catalog()
    published = catalog.execute("select value from catalog_fact where name = 'published_at'").fetchone()
    return web.page(
        "kiosk/home.html",
        spots=demo_spots(catalog),
        categories=skus.offered_categories(catalog, visitor().categories),
        has_plans=has_plans(catalog),
        published_at=published[0] if published else None,
    )


@routes.post("/language")
def language() -> Response:
    """Switch the language with one touch and stay where one is."""
    wished = request.form.get("language", "")
    if wished not in visitor().spoken:
        raise Invalid("not a language of this corner", field="language")
    return _with_cookie(web.see_other(forms.local_path(request.form.get("next"))), web.LANGUAGE_COOKIE, wished)


@routes.post("/view")
def view() -> Response:
    """Turn one wish about the view on or off: lower reach, strong contrast, larger text, second strikes ignored, a voice."""
    wished = request.form.get("flip", "")
    if wished not in web.VIEWS:
        raise Invalid("not a view", field="flip")
    now = {name for name in request.cookies.get(web.VIEW_COOKIE, "").split(".") if name in web.VIEWS} ^ {wished}
    return _with_cookie(web.see_other(forms.local_path(request.form.get("next"))), web.VIEW_COOKIE, ".".join(sorted(now)))


@routes.post("/leave")
def leave() -> Response:
    """Wipe everything this visitor left here: selection, language, view, voice. Their slips stay, but open here no more.

    A page reached from a slip may know no selection: the visit of this one screen ends for every slip made on it.
    A selection that a clerk has stays theirs. Language and view go also where the records refuse.
    """
    after_this_request(_forget_cookies)
    files.kiosk().voice.silence()
    records = files.kiosk().ops
    if records is not None:
        with records.write() as ops:
            wipe_visit(ops, request.form.get("s", ""))
    return web.see_other("/")


def demo_spots(catalog: Database) -> list[dict[str, Any]]:
    """Return the demo devices of this corner's table where they lie, with today's cheapest offer if there is one.

    `row` and `column`, from 1, are for the drawing of the table, which has no more columns than there are.
    """
    corner = files.corner_or_none()
    if corner is None:
        return []
    order = [spot["position"] for spot in corner.planogram]
    devices = sorted(demo_devices.devices(files.ops(), corner), key=lambda device: order.index(device.position))
    names = {grade["grade_id"]: grade["name"] for grade in offers.grades(catalog)}
    rows = catalog.execute(
        """
        select sku.sku_id, sku.sku, sku.brand, sku.model, sku.storage_gb, sku.body, category.body,
          offer.grade_id, offer.all_in_cents
        from shown_sku as sku join shown_category as category using (category_id) left join offer using (sku_id)
        where sku.sku_id in (select value from json_each(?))
        order by sku.sku_id, offer.all_in_cents, offer.grade_id
        """,
        [json.dumps([device.sku_id for device in devices])],
    )
    items: dict[int, dict[str, Any]] = {}
    for sku_id, code, brand, model, storage_gb, body, category, grade_id, cents in rows:
        if sku_id in items:
            items[sku_id]["other_grades"] += 1
            continue
        facts = json.loads(body)
        items[sku_id] = {
            "sku": code,
            "brand": brand,
            "model": model,
            "storage_gb": storage_gb,
            "form": json.loads(category)["form"],
            "co2": claims.co2_avoided(json.loads(category)),
            "color": facts.get("color"),
            "specs": facts.get("specs"),
            "from_cents": cents,
            "grade": names.get(grade_id),
            "other_grades": 0,
        }
    drawn = {
        spot["position"]: (row, column)
        for row, spots in enumerate(drawn_rows(corner.planogram), start=1)
        for column, spot in enumerate(spots, start=1)
        if spot is not None
    }
    return [
        {
            "position": device.position,
            "row": drawn[device.position][0],
            "column": drawn[device.position][1],
            "sku_id": device.sku_id,
            **items[device.sku_id],
        }
        for device in devices
        if device.sku_id in items
    ]


def _varied(spots: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the devices on offer with one of each form first: a poster shows the range."""
    seen: dict[str, int] = {}
    ranked = []
    for spot in spots:
        if spot["from_cents"] is not None:
            seen[spot["form"]] = seen.get(spot["form"], 0) + 1
            ranked.append((seen[spot["form"]], spot))
    return [spot for _, spot in sorted(ranked, key=lambda pair: pair[0])]


def _forget_cookies(response: Response) -> Response:
    for name in (web.LANGUAGE_COOKIE, web.VIEW_COOKIE, speech.VOLUME_COOKIE, calls.COOKIE):
        response.delete_cookie(name, samesite="Strict", httponly=True)
    return response


def _with_cookie(response: Response, name: str, value: str) -> Response:
    response.set_cookie(name, value, samesite="Strict", httponly=True)
    return response
