"""Every field of every feed file changed: refused with file, line and field, or every page of kiosk and marketplace answers.

Judging takes one changed file a time; what passes is published together, a change a field, and every page is asked of that world.
A world that fails is halved until the changes that fail alone are known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from kiosk.app import create_app
from marketplace.db import reading
from marketplace.feeds.imports import import_feed
from marketplace.fleet.corners import corner_document
from marketplace.installation import replica_path, sync_path
from marketplace.publishing.publications import publish_all
from pos import tokens
from pos.catalog import publication
from pos.db import Store
from pos.left_out import left_out
from pos.ops import store_setting
from sync.catalog_files import copy_catalog
from sync.hq.log import published
from sync.hq.replicas import bring_replica
from tests import world
from tests.amounts import amount
from tests.campaigns.feeds import FILES, Feed, Mutation, mutations, refusals, sample
from tests.marketplace.conftest import real_now
from tests.marketplace.hq import CONTACT, URL, CopiedHq, Hq, quiet

EACH = 19 // amount("parts of the changes to a feed's fields")
"""Every nineteenth change in the quick run: a stride that meets each value, and each field of a long row."""
LEAST = 5_000
REFUSED = "refused together"
KNOWN_DEVICES = 6
REFERRED = frozenset(
    {"words", "code", "battery_min_pct", "category_id", "sku_id", "seller_id", "partner_id", "markets", "fr", "us", "currency"}
    | {"most_months", "sibling_months"}
)
"""What other files lean on: where such a field is right by itself, the lines that no longer go with it are named."""


class SampleHq(Hq):
    """A marketplace with the sample imported and published."""

    def __init__(self, directory: Path, feed: Path) -> None:
        self.feed = feed
        super().__init__(directory, None)

    def import_world(self, rows: Any = None, **listings: Any) -> Any:
        """Import the sample in the small world's place."""
        return import_feed(self.engine, self.feed, static=sync_path(self.directory), progress=quiet)


@pytest.fixture(scope="session")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Feed:
    return sample(tmp_path_factory.mktemp("sample") / "feed")


@pytest.fixture(scope="session")
def sample_hq(tmp_path_factory: pytest.TempPathFactory, feed: Feed) -> Hq:
    directory = tmp_path_factory.mktemp("sample-hq")
    with time_machine.travel(real_now()):
        made = SampleHq(directory / "hq", feed.write(directory / "feed"))
    made.close()
    return made


def test_the_campaign_is_as_large_as_it_says(feed: Feed) -> None:
    assert refusals(feed.write(feed.media.parent.with_name("whole"))) == []
    every = [mutation for file in FILES for mutation in mutations(feed, file)]
    assert len(every) > LEAST
    assert len(set(map(str, every))) == len(every)


@pytest.mark.long
@pytest.mark.parametrize("file", FILES)
def test_a_changed_field_is_refused_by_name_or_every_page_answers(file: str, feed: Feed, sample_hq: Hq, tmp_path: Path) -> None:
    directory = feed.write(tmp_path / "feed")
    passed = []
    for mutation in mutations(feed, file)[::EACH]:
        feed.with_changes([mutation]).write(directory, files=[file])
        found = refusals(directory)
        if found:
            assert all(each["field"] and each["reason"] and each["line"] > 0 for each in found), (str(mutation), found)
            is_named = any(each["file"].partition(".")[0] == file for each in found)
            assert is_named or REFERRED & {*mutation.path}, (str(mutation), found)
        else:
            passed.append(mutation)

    failures = {}
    for number, batch in enumerate(_together(passed)):
        failures |= _failures(batch, feed, sample_hq, tmp_path / f"world{number}")
    assert failures == {}


def _together(passed: Sequence[Mutation]) -> Iterator[list[Mutation]]:
    """Yield changes that can be made at once: of each row and field, with all that is within it, one."""
    left = list(passed)
    while left:
        batch: list[Mutation] = []
        for mutation in left:
            if not any(_is_within(mutation, other) for other in batch):
                batch.append(mutation)
        left = [mutation for mutation in left if mutation not in batch]
        yield batch


def _is_within(mutation: Mutation, other: Mutation) -> bool:
    """Tell whether one of two changes is of a field that the other replaces."""
    depth = min(len(mutation.path), len(other.path))
    return mutation.row == other.row and mutation.path[:depth] == other.path[:depth]


def _failures(batch: Sequence[Mutation], feed: Feed, first: Hq, directory: Path) -> dict[str, str]:
    """Return what fails of a world with these changes, by the changes that do it alone or together."""
    said = _ask_world(batch, feed, first, directory)
    if not said:
        return {}
    if len(batch) == 1:
        return {str(batch[0]): said}
    half = len(batch) // 2
    found = _failures(batch[:half], feed, first, directory.with_name(f"{directory.name}a"))
    found |= _failures(batch[half:], feed, first, directory.with_name(f"{directory.name}b"))
    # Changes that exclude each other are refused together, and that is no fault: their halves were asked.
    return found if found or said.startswith(REFUSED) else {", ".join(map(str, batch)): said}


def _ask_world(batch: Sequence[Mutation], feed: Feed, first: Hq, directory: Path) -> str:
    """Publish a world, let a kiosk follow, and ask every page of both; return what was wrong, or nothing."""
    directory.mkdir()
    with closing(CopiedHq(first, directory / "hq")) as hq:
        changed = feed.with_changes(batch).write(directory / "feed")
        if found := refusals(changed):
            return f"{REFUSED}: {found[0]}"
        base = directory / "base.db"
        copy_catalog(replica_path(hq.directory, "fr"), base)
        import_feed(hq.engine, changed, static=sync_path(hq.directory), progress=quiet, is_withdrawal_meant=True)
        publish_all(hq.engine, hq.directory)
        kiosk = _kiosk(hq, base, directory / "kiosk")
        catalog = kiosk.catalog.read()
        unfit = left_out(catalog)
        if unfit.rows:
            return f"HQ took what a kiosk cannot show: {unfit.examples}"
        app = create_app(kiosk.directory, sync=False)
        try:
            answers, slips = _ask_kiosk(app, kiosk)
            answers |= _ask_hq(hq, slips)
        finally:
            kiosk.catalog.close()
            kiosk.ops.close()
    wrong = {page: status for page, status in answers.items() if status >= 500 or (status != 200 and page in MUST_ANSWER)}
    return json.dumps(wrong) if wrong else ""


MUST_ANSWER = (
    "/home",
    "/browse",
    "/plans",
    "/status.json",
    "/counter/",
    "HQ /console/",
    "HQ /console/fleet",
    "HQ /console/sellers",
)


def _kiosk(hq: Hq, base: Path, directory: Path) -> world.Kiosk:
    """Return a kiosk of the Nantes corner that held the sample and has followed to what HQ published since."""
    directory.mkdir()
    kiosk = world.make_kiosk(directory)
    (directory / "catalog.db").unlink()
    copy_catalog(base, directory / "catalog.db")
    with reading(hq.engine) as connection:
        line = published(connection, "fr")
        assert line is not None
        document = corner_document(connection, _corner_of(hq), slip_prefix=f"{URL}/k/")
    store = Store(directory / "catalog.db", durable=False)
    bring_replica(store, line, market="fr", static=sync_path(hq.directory), now=world.NOW)
    assert publication(store.read()) == line.publication
    store.close()
    (directory / "device.key").write_bytes(hq.key.private_bytes_raw())
    with kiosk.ops_write() as ops:
        store_setting(ops, "corner", {**document, "clerks": world.corner_document()["clerks"]})
        store_setting(ops, "key_id", hq.key_id)
    return kiosk


def _corner_of(hq: Hq) -> str:
    return str(hq.rows("select corner_id from corner where market = 'fr' order by corner_no")[0]["corner_id"])


def _ask_kiosk(app: Flask, kiosk: world.Kiosk) -> tuple[dict[str, int], list[str]]:
    """Return the status of every page, and the digits of the slips made on the way."""
    catalog, client, answers = kiosk.catalog.read(), app.test_client(), {}
    plans = [plan_id for (plan_id,) in catalog.execute("select plan_id from plan order by plan_id")]
    options = "&".join(f"option={option_id}" for (option_id,) in catalog.execute("select option_id from option"))
    codes = [code for (code,) in catalog.execute("select sku from shelf join sku using (sku_id) order by shelf.rank")]
    pages = ["/", "/home", "/browse", "/browse?q=a&sort=price", "/browse?grade=GOOD&sort=-price", "/browse?sort=new"]
    pages += ["/plans", "/plans?acquisition=port", "/plans?acquisition=renewal", "/status.json", "/readyz"]
    pages += [f"/browse?category={key}" for (key,) in catalog.execute("select category_id from category")]
    pages += [f"/sku/{code}" for code in codes]
    pages += [f"/sku/{codes[0]}/bundle?plan={plan_id}&{options}&plans=all" for plan_id in plans]
    pages += [f"/compare?{'&'.join(f'sku={code}' for code in codes[at : at + 4])}" for at in range(0, len(codes), 4)]
    client.post("/counter/session", data={"clerk": "camille", "pin": world.PIN})
    pages += ["/counter/", "/counter/table"]
    slips = _make_slips(client, kiosk, plans, answers)
    pages += [f"/counter/slips/{number}" for number, _ in slips]
    for language in ("fr", "en"):
        client.post("/language", data={"language": language})
        answers |= {page if language == "fr" else f"{page} in English": client.get(page).status_code for page in pages}
    return answers, [digits for _, digits in slips]


def _make_slips(client: FlaskClient, kiosk: world.Kiosk, plans: list[int], answers: dict[str, int]) -> list[tuple[str, str]]:
    """Make a slip of the dearest devices, each with another plan, and one of each plan alone; return numbers and digits."""
    devices = [each for (each,) in kiosk.catalog.read().execute("select listing_id from offer order by all_in_cents desc")]
    wishes = [{"plan": plan_id} for plan_id in plans] + [{"listing": device} for device in devices[:KNOWN_DEVICES]]
    wishes += [
        {"listing": device, "plan": plan_id, "option": 1} for device, plan_id in zip(devices[:KNOWN_DEVICES], plans, strict=False)
    ]
    for wish in wishes:
        started = client.post("/selections", data=wish)
        answers[f"selection of {wish}"] = started.status_code
        if started.status_code == 303:
            answers[started.location] = client.get(started.location).status_code
            made = client.post(f"{started.location}/slip")
            answers[f"slip of {wish}"] = made.status_code
            if made.status_code == 303:
                answers |= {f"{made.location}{end}": client.get(f"{made.location}{end}").status_code for end in ("", "/paper")}
    rows = kiosk.ops.read().execute("select number, token from slip").fetchall()
    return [(number, tokens.to_digits(token)) for number, token in rows]


def _ask_hq(hq: Hq, slips: Sequence[str]) -> dict[str, int]:
    client, answers = hq.client, {}
    hq.app.testing = False
    for digits in slips:
        answers[f"HQ slip {digits[:12]}"] = max(
            client.get(f"/k/{digits}?lang={language}").status_code for language in ("fr", "en")
        )
    for digits in slips[:2]:
        answers[f"HQ claim {digits[:12]}"] = client.post(f"/k/{digits}/claim", data=CONTACT).status_code
    client.post("/console/login", data={"password": hq.password})
    pages = [
        "",
        "fleet",
        "slips",
        "orders",
        "sellers",
        "trials/",
        "devices/",
        "gaps",
        "events",
        f"corners/{quote(_corner_of(hq))}",
    ]
    return (
        answers
        | {f"HQ /console/{page}": client.get(f"/console/{page}").status_code for page in pages}
        | {"HQ /": client.get("/").status_code}
    )
