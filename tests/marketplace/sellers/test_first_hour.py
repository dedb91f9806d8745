"""An integrator's first hour as docs/selling.md has it: each of its commands does what it says, in its order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from werkzeug.test import TestResponse

from tests.marketplace.hq import IPHONE_13, Hq
from tests.marketplace.sellers.desks import paid_part
from tests.marketplace.sellers.selling import Seller

SELLING = Path(__file__).parents[3] / "docs" / "selling.md"


def commands() -> list[list[str]]:
    """Return the commands of the documented hour, each as its words."""
    hour = SELLING.read_text(encoding="utf-8").partition("### Your first hour")[2].partition("\n### ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", hour, re.DOTALL)
    return [shlex.split(command) for block in blocks for command in block.replace("\\\n", " ").splitlines()]


def ask(seller: Seller, words: list[str], said: dict[str, str], files: dict[str, bytes]) -> TestResponse:
    """Ask what a `curl` command asks."""
    method, address, body, headers = "GET", "", None, {}
    rest = iter(words[1:])
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value.replace("$KEY", seller.key)
        elif word in ("-d", "--data-binary"):
            text = next(rest)
            body = files[text[1:]] if text.startswith("@") else text.encode()
        else:
            address = re.sub(r"\$([A-Z]+)", lambda name: said[name[1]], word)
    return seller.hq.client.open(address, method=method, headers=headers, data=body)


def test_the_documented_hour_works_command_by_command(hq: Hq) -> None:
    seller, part = Seller(hq), paid_part(hq, IPHONE_13)
    said, files = {"BASE": "/api/v1", "ORDER": str(part["part_id"])}, {}
    answers = []
    for words in commands():
        if words[0] == "printf":
            files[words[3]] = words[1].replace("\\n", "\n").encode()
            continue
        answer = ask(seller, words, said, files)
        assert answer.status_code in (200, 201, 202), (words, answer.text)
        told = answer.json or {}
        said |= {"IMPORT": told.get("import_id", said.get("IMPORT", "")), "CURSOR": str(told.get("cursor", ""))}
        hq.work()
        answers.append(told)

    assert len(answers) == 11
    assert (answers[1]["price"], answers[2]["quantity"]) == ("359.00", 3)
    assert (answers[4]["lines"], answers[4]["changed"], answers[4]["refused"]) == (1, 1, 0)
    assert [order["order_id"] for order in answers[5]["orders"]] == [part["part_id"]]
    assert answers[6]["orders"] == [], "nothing changed since"
    assert [unit["state"] for unit in answers[8]["lines"][0]["units"]] == ["shipped"]
