from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from marketplace.feeds.content import DESK_SELLERS_FROM
from marketplace.front import MOST_FORM_BYTES, largest_body
from marketplace.sellers import applications, documents
from marketplace.sellers.applications import APPLICATIONS
from marketplace.sellers.companies import ApplicationIncomplete, company_key, read_company
from pos import clock
from tests.marketplace.hq import Hq, words
from tests.marketplace.sellers.applicants import COMPANY, PDF, REASONS, apply, decide, log_in, png

MENDED = {
    "siret": "732 829 320 00075",
    "vat_number": "FR 45 732829320",
    "iban": "FR14 2004 1010 0505 0001 3M02 607",
    "email": "nora@renouveau",
    "phone": "appelez-moi",
    "legal_name": " ",
    "country": "ZZ",
    "certified": "",
    "mandate": "2020-01",
}


@pytest.mark.parametrize(("field", "value"), MENDED.items())
def test_each_field_is_held_to_its_own_rule(field: str, value: str) -> None:
    with pytest.raises(ApplicationIncomplete) as refusal:
        read_company({**COMPANY, field: value}, now=clock.now())
    assert field in refusal.value.data["fields"]


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(ApplicationIncomplete) as refusal:
        read_company({}, now=clock.now())
    assert set(refusal.value.data["fields"]) == {*COMPANY} - {"siret"}


@pytest.mark.parametrize(
    ("country", "vat_number", "stored"),
    [
        ("DE", "DE 136695976", "DE136695976"),
        ("GR", "EL 094259216", "EL094259216"),
        ("GB", "980 7806 84", "GB980780684"),
        ("CH", "CHE-107.787.577 IVA", "CHE107787577IVA"),
    ],
)
def test_a_company_from_elsewhere_is_known_by_its_vat_number(country: str, vat_number: str, stored: str) -> None:
    company, _ = read_company({**COMPANY, "country": country, "siret": "", "vat_number": vat_number}, now=clock.now())
    assert (company["siret"], company_key(company)) == ("", stored)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"country": "DE"}, "other_country"), ({"vat_number": "FR 40 303265045"}, "other_company")],
    ids=["another country's", "another company's"],
)
def test_a_vat_number_of_somebody_else_is_refused(changes: dict[str, str], code: str) -> None:
    with pytest.raises(ApplicationIncomplete) as refusal:
        read_company({**COMPANY, **changes}, now=clock.now())
    assert refusal.value.data["fields"]["vat_number"] == code


def test_a_vat_number_is_not_blamed_for_a_wrong_siret() -> None:
    with pytest.raises(ApplicationIncomplete) as refusal:
        read_company({**COMPANY, "siret": COMPANY["siret"][:-1] + "X"}, now=clock.now())
    assert refusal.value.data["fields"] == {"siret": "wrong"}


def test_a_small_french_company_without_a_vat_number_is_the_same_company(hq: Hq) -> None:
    assert apply(hq, vat_number="").location == "/sell/waiting"
    assert apply(hq).status_code == 409
    assert apply(hq, siret="732 829 320 00082").status_code == 409, "another establishment of the company"


def test_an_application_is_read_with_its_documents_and_let_in_on_trial(hq: Hq) -> None:
    assert apply(hq, ("kbis.pdf", PDF), ("carte d'identité.png", png())).location == "/sell/waiting"
    assert "chez nous" in hq.client.get("/sell/waiting").text
    log_in(hq)
    assert "Renouveau" in hq.client.get("/console/sellers").text
    seller_id = DESK_SELLERS_FROM
    page = words(hq.client.get(f"/console/sellers/{seller_id}"))
    assert all(said in page for said in ("73282932000074", "FR44732829320", "FR1420041010050500013M02606", "kbis.pdf"))

    with hq.client.get(f"/console/sellers/{seller_id}/documents/1") as document:
        assert (document.data, document.mimetype) == (PDF, "application/pdf")
        assert document.headers["Content-Disposition"].startswith("attachment")
        assert document.headers["X-Content-Type-Options"] == "nosniff"
    assert hq.client.get(f"/console/sellers/{seller_id}/documents/3").status_code == 404

    assert decide(hq, seller_id, "trial", remedy=" ").status_code == 422
    assert decide(hq, seller_id, "trial").status_code == 303
    assert hq.rows("select source, state, suspended from seller where seller_id = :seller_id", seller_id=seller_id) == [
        {"source": "desk", "state": "trial", "suspended": 0}
    ]
    [step] = hq.rows("select * from seller_step")
    assert {name: step[name] for name in REASONS} == REASONS
    assert "Extrait Kbis lu" in hq.client.get(f"/console/sellers/{seller_id}").text
    assert decide(hq, seller_id, "trial").status_code == 409


def test_documents_lie_where_only_we_read_them(hq: Hq) -> None:
    apply(hq, ("../../etc/passwd.pdf", PDF))
    [stored] = hq.rows("select name, file from seller_document")
    path = hq.directory / documents.FOLDER / stored["file"]
    assert stored["name"] == "passwd.pdf"
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (PDF, 0o600)
    assert hq.app.test_client().get("/console/sellers/1000000000/documents/1").location == "/console/login"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.pdf", b"<html><script>alert(1)</script>"),
        ("half.pdf", b"%PDF-1.7\n1 0 obj"),
        ("torn.png", png()[:40]),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("large.pdf", PDF + b" " * 2000),
    ],
)
def test_a_file_is_judged_by_what_is_in_it(hq: Hq, name: str, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_BYTES", 2000)
    answer = apply(hq, (name, content))
    assert (answer.status_code, name in answer.text) == (422, True)
    assert hq.rows("select * from seller_application") == []
    assert not list((hq.directory / documents.FOLDER).glob("*"))


def test_six_documents_are_too_many(hq: Hq) -> None:
    assert apply(hq, *[("kbis.pdf", PDF)] * 6).status_code == 422


def test_this_form_alone_may_be_large() -> None:
    assert largest_body("/sell") > documents.MOST_DOCUMENTS * documents.MOST_BYTES
    assert largest_body("/sell/waiting") == largest_body("/sellers") == MOST_FORM_BYTES


def test_a_source_that_sends_many_has_to_wait(hq: Hq) -> None:
    for _ in range(APPLICATIONS.free_tries):
        assert apply(hq, iban="").status_code == 422
    answer = apply(hq)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_of_two_applications_of_one_company_at_once_one_is_kept(hq: Hq) -> None:
    hq.app  # noqa: B018 - made before two threads ask for it
    clients = [hq.app.test_client(), hq.app.test_client()]
    with ThreadPoolExecutor(2) as posts:
        statuses = sorted(posts.map(lambda client: client.post("/sell", data=COMPANY).status_code, clients))
    assert statuses == [303, 409]


@pytest.mark.parametrize("bound", [("MOST_WAITING", 1), ("MOST_WAITING_BYTES", 2 * len(PDF) - 1)])
def test_what_waits_is_bounded_in_all_and_the_next_comes_once_hq_has_read(
    hq: Hq, bound: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applications, *bound)
    german = {"country": "DE", "siret": "", "vat_number": "DE 136695976"}
    assert apply(hq, ("kbis.pdf", PDF)).status_code == 303
    answer = apply(hq, ("register.pdf", PDF), **german)
    assert answer.status_code == 503
    assert "Trop de demandes sont à l’étude." in words(answer)
    assert 'value="DE 136695976"' in answer.text
    assert len([*(hq.directory / documents.FOLDER).glob("*")]) == 1, "nothing of it is kept"
    log_in(hq)
    assert decide(hq, DESK_SELLERS_FROM, "refused").status_code == 303
    assert apply(hq, ("register.pdf", PDF), **german).status_code == 303


def test_several_applications_are_refused_at_once_each_with_its_reasons(hq: Hq) -> None:
    apply(hq)
    apply(hq, country="DE", siret="", vat_number="DE 136695976")
    log_in(hq)
    assert "Refuser les demandes cochées" in words(hq.client.get("/console/sellers"))
    both = {"seller": [str(DESK_SELLERS_FROM), str(DESK_SELLERS_FROM + 1)]}
    assert hq.client.post("/console/sellers/refusals", data=both).status_code == 422, "without reasons nothing is decided"
    assert hq.client.post("/console/sellers/refusals", data={**REASONS, **both}).status_code == 303
    assert {each["state"] for each in hq.rows("select state from seller_application")} == {"refused"}
    assert len(hq.rows("select seller_id from seller_step where state = 'refused'")) == 2
    assert len(hq.rows("select job_id from job where kind = 'mail'")) == 2
    assert apply(hq).status_code == 303


def test_no_document_stays_of_a_company_that_applied_before(hq: Hq) -> None:
    apply(hq, ("kbis.pdf", PDF))
    assert apply(hq, ("again.pdf", PDF)).status_code == 409
    assert len([*(hq.directory / documents.FOLDER).glob("*")]) == 1


def test_a_company_that_was_refused_may_apply_again_under_a_new_number(hq: Hq) -> None:
    apply(hq, ("kbis.pdf", PDF))
    log_in(hq)
    assert decide(hq, DESK_SELLERS_FROM, "refused").status_code == 303
    assert apply(hq).status_code == 303
    kept = hq.rows("select seller_id, state from seller_application order by seller_id")
    assert [tuple(each.values()) for each in kept] == [(DESK_SELLERS_FROM, "refused"), (DESK_SELLERS_FROM + 1, "applied")]


def test_a_file_that_no_application_names_goes_after_a_day(hq: Hq) -> None:
    apply(hq, ("kbis.pdf", PDF))
    [kept] = (hq.directory / documents.FOLDER).glob("*")
    (hq.directory / documents.FOLDER / "lost").write_bytes(PDF)
    now = clock.now()
    assert documents.sweep_documents(hq.engine, hq.directory, now=now) == 0
    assert documents.sweep_documents(hq.engine, hq.directory, now=now + 2 * documents.LOST_AFTER) == 1
    assert [*(hq.directory / documents.FOLDER).glob("*")] == [kept]
