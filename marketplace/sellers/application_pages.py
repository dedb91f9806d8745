"""`/sell`: a company asks to sell here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import run_tx
from marketplace.sellers import applications, documents
from marketplace.sellers.applications import AlreadyApplied, ApplicationsFull
from marketplace.sellers.companies import COUNTRIES, MANDATE, ApplicationIncomplete, read_company
from marketplace.sellers.documents import DocumentRefused
from marketplace.web import Marketplace, marketplace, see_other, source
from pos import clock
from pos.errors import PosError
from shop import door
from shop.web import render_template

pages = Blueprint("sell", __name__, url_prefix="/sell")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyPage:
    """The form with what was typed so far; `fields` maps each field that is not as it should be to a code."""

    form: Mapping[str, str]
    fields: Mapping[str, str]
    problem: PosError | None

    countries = COUNTRIES
    mandate = MANDATE


@pages.get("")
def form() -> str:
    """Show the form."""
    return _form({}, {}, None)


@pages.post("")
def apply() -> Response | tuple[str, int]:
    """Keep an application for HQ to decide about; nothing is kept of one that is not in order."""
    central, now = marketplace(), clock.now()
    run_tx(central.engine, lambda connection: applications.claim_try(connection, source(), now=now))
    try:
        company, email = read_company(request.form, now=now)
        sent = documents.read_documents(request.files.getlist("documents"))
        files = documents.write_documents(central.directory, sent)

        def work(connection: Connection) -> None:
            applications.receive(connection, company, sent, files, email=email, language=door.visitor().language, now=now)

        _keep(central, work, files)
    except ApplicationIncomplete as problem:
        return _form(request.form, problem.data["fields"], problem), problem.status
    except (AlreadyApplied, ApplicationsFull, DocumentRefused) as problem:
        return _form(request.form, {}, problem), problem.status
    return see_other("sell.waiting")


@pages.get("/waiting")
def waiting() -> str:
    """Say that the application is with HQ."""
    return render_template("marketplace/sellers/waiting.html")


def _keep(central: Marketplace, work: Callable[[Connection], None], files: list[str]) -> None:
    """Write an application down; of one that is refused no file stays."""
    try:
        run_tx(central.engine, work)
    except (AlreadyApplied, ApplicationsFull):
        documents.remove_documents(central.directory, files)
        raise


def _form(form: Mapping[str, str], fields: Mapping[str, str], problem: PosError | None) -> str:
    return render_template("marketplace/sellers/apply.html", page=ApplyPage(form=form, fields=fields, problem=problem))
