"""The finder: one free sentence or up to four answers, read as criteria that filter or rank, and what they find on offer.

Everything asked stands in the address, so that a criterion is taken away by a link and a page can be shared. Nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request

from pos import clock, skus
from pos.currencies import places
from pos.errors import Invalid
from pos.finder.grammar import LONGEST_SENTENCE, Understanding, understand
from pos.finder.lexicon import LANGUAGES
from pos.finder.matching import Loosened, Suggestion, Suggestions, find
from pos.finder.names import names_of
from pos.finder.settling import LISTS
from shop import door, forms, web
from shop.facets import list_address
from shop.specs import LABELS, facts_of, label, spec_value

routes = Blueprint("finder", __name__)

MOST_ANSWERS = 24
MOST_SHOWN = 6
MOST_COMPARED = 3
BUDGETS = (150, 250, 400, 600)
NETWORKS = ("5G",)
DEALS = ("bundle", "device_only", "sim_only")
PERSONS = ("elderly", "child", "teen", "student", "work")
WISHES = ("big_screen", "big_battery", "good_camera", "small", "light", "long_updates", "cheap")
ANSWERS = {"category": "category", "max": "price_max_cents", "whom": "for_whom", "network": "network", "deal": "deal"}
"""The parameter of each question, and the criterion its answer is; `want` stands several times."""
ELSEWHERE = frozenset({"trade_in", "repair"})
"""What a sentence wants done that no device on offer answers."""
OF_PLANS = frozenset({"deal", "data_min_gb", "monthly_max_cents"})
UNSAID = frozenset({"intent", "quantity", "currency", "unsupported_currency", "prefer", "fault"})
"""What is no criterion of the list; the page says some of it in sentences."""
ORDERS = {"price": "price", "newest": "new", "lightest": "light"}
"""The orders of the finder that lists have, too."""
SOFT = frozenset({"wants", "for_whom", "sort", "price_target_cents"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionShown:
    """A criterion as the page shows it, with the address of the same question without it."""

    kind: str
    key: str
    value: Any
    without: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A stretch of the sentence: what it was read as, `""` for what only joins."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WishShown:
    """Whether one wish holds for a SKU: the criterion, and where a specification tells, what it is and what it should be."""

    chip: tuple[str, Any]
    holds: bool | None
    label: str = ""
    value: str = ""
    wanted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A SKU suggested, and why."""

    card: skus.Card
    offer_cents: int
    reasons: list[WishShown]

    @property
    def held(self) -> int:
        """How many wishes hold."""
        return sum(reason.holds is True for reason in self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What was asked: the sentence as it was read, every criterion, and the parameters that ask it again."""

    sentence: str
    marks: list[Mark]
    criteria: dict[str, Any]
    chips: list[CriterionShown]
    left: list[str]
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loosening:
    """The one criterion to loosen, with the address that does it, how many SKUs that gives and the lowest price of them."""

    chip: CriterionShown
    skus: int
    from_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaysOn:
    """Where the answers lead: to the list of all that hold what is required, `skus` of them, and to comparing the first ones."""

    skus: int
    listed: str
    compared: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinderPage:
    """What the finder's page shows: what was asked, what was suggested, and what the one criterion to loosen would give."""

    asked: Sought
    advice: list[Advice]
    ways: WaysOn | None
    loosened: Loosening | None
    unmeasured: list[tuple[str, Any]]


@routes.get("/finder")
def finder() -> Response:
    """Show the questions, or what a sentence and answers find. Raises: Invalid."""
    asked = _asked()
    kinds = skus.categories(door.catalog(), door.visitor().categories)
    if not asked.criteria and not asked.sentence.strip():
        return web.page(
            "shop/finder_questions.html", kinds=kinds, budgets=_budgets(), persons=PERSONS, wishes=WISHES, deals=DEALS
        )
    return web.page("shop/finder.html", finding=_finding(asked), kinds=kinds)


@routes.get("/finder.json")
def finder_json() -> Response:
    """Return a sentence's criteria, what was not understood of it, and the SKUs suggested, the best first."""
    sentence = _sentence()
    understanding = _understood(sentence)
    suggested = _suggestions(understanding.criteria, MOST_ANSWERS)
    return web.as_json(
        {
            "criteria": understanding.criteria,
            "not_understood": _left(sentence, understanding),
            "results": [{"sku": each.card["sku"], "offer_cents": each.offer_cents} for each in suggested.suggestions]
            if suggested
            else [],
        }
    )


def _sentence() -> str:
    return request.args.get("q", "")[:LONGEST_SENTENCE]


def _understood(sentence: str) -> Understanding:
    """Read a sentence with the words of the language asked for first, else of the visitor's."""
    asked = request.args.get("lang", "")
    visitor = door.visitor()
    language = asked if asked in LANGUAGES else visitor.language
    return understand(sentence, language=language, names=names_of(door.catalog()), currency=visitor.currency)


def _left(sentence: str, understanding: Understanding) -> list[str]:
    return [sentence[start:end] for start, end in understanding.not_understood]


def _suggestions(criteria: dict[str, Any], limit: int) -> Suggestions | None:
    """Return what criteria find, None where no device answers them."""
    if not criteria or criteria.get("intent") in ELSEWHERE or criteria.get("deal") == "sim_only":
        return None
    visitor = door.visitor()
    year = clock.local_day(clock.now(), visitor.time_zone)[:4]
    return find(door.catalog(), criteria, year=int(year), among=visitor.categories, limit=limit)


def _budgets() -> list[int]:
    """Return the budgets to choose from, in minor units."""
    return [budget * 10 ** places(door.visitor().currency) for budget in BUDGETS]


def _asked() -> Sought:
    """Return what the address asks: the sentence's criteria but for those taken away, then the answers. Raises: Invalid."""
    sentence = _sentence()
    understanding = _understood(sentence)
    dropped = request.args.getlist("drop")[: LONGEST_SENTENCE // 4]
    criteria = _without(understanding.criteria, dropped)
    answers = _answers()
    parameters = {"q": sentence, "drop": dropped, **{name: request.args.get(name) for name in ANSWERS}}
    parameters |= {"want": answers.get("wants", []), "s": request.args.get("s")}
    wants = list(dict.fromkeys([*criteria.get("wants", ()), *answers.pop("wants", ())]))
    criteria |= answers | ({"wants": wants} if wants else {})
    return Sought(
        sentence=sentence,
        marks=list(_marks(sentence, understanding, criteria)),
        criteria=criteria,
        chips=list(_chips(criteria, parameters)),
        left=_left(sentence, understanding),
        parameters=parameters,
    )


def _answers() -> dict[str, Any]:
    """Return the criteria of the answers given. Raises: Invalid."""
    given = {name: request.args.get(name, "") for name in ANSWERS if request.args.get(name)}
    known = {"whom": PERSONS, "network": NETWORKS, "deal": DEALS}
    for name, values in known.items():
        if name in given and given[name] not in values:
            raise Invalid("not an answer", field=name)
    answers: dict[str, Any] = {ANSWERS[name]: value for name, value in given.items()}
    if "max" in given:
        answers["price_max_cents"] = forms.whole(given["max"], "max")
    if wants := [want for want in request.args.getlist("want") if want in WISHES]:
        answers["wants"] = wants
    return answers


def _without(criteria: dict[str, Any], dropped: Sequence[str]) -> dict[str, Any]:
    """Return criteria without those taken away: `key`, or `key.value` of a list. What is gone is preferred no more."""
    kept: dict[str, Any] = {}
    for key, value in criteria.items():
        if key in dropped:
            continue
        values = [each for each in value if f"{key}.{each}" not in dropped] if key in LISTS else value
        if values not in ([], None):
            kept[key] = values
    preferred = [key for key in kept.pop("prefer", ()) if key in kept or key not in criteria]
    return kept | ({"prefer": preferred} if preferred else {})


def _kind(key: str, criteria: dict[str, Any]) -> str:
    """Return what a criterion is on the page: `must`, `wish`, `plan`, or `""` where it is said in another way."""
    if key in UNSAID:
        return ""
    if key in OF_PLANS:
        return "plan"
    return "wish" if key in SOFT or key in criteria.get("prefer", ()) else "must"


def _chips(criteria: dict[str, Any], parameters: dict[str, Any]) -> Iterator[CriterionShown]:
    """Yield every criterion with the address that asks the same without it; a flag that is only preferred is one too."""
    said = {**criteria, **{key: True for key in criteria.get("prefer", ()) if key not in criteria}}
    for key, value in said.items():
        kind = _kind(key, criteria)
        for each in (value if key in LISTS else [value]) if kind else ():
            yield CriterionShown(kind=kind, key=key, value=each, without=_address_without(key, each, parameters, criteria))


def _address_without(key: str, value: Any, parameters: dict[str, Any], criteria: dict[str, Any]) -> str:
    """Return the address that asks the same without one criterion, said or answered; without a value, all of a list goes."""
    answered = {name: None for name, criterion in ANSWERS.items() if criterion == key}
    wants = [want for want in parameters["want"] if key != "wants" or value not in (want, None)]
    token = key if key not in LISTS or value is None else f"{key}.{value}"
    if key in criteria.get("prefer", ()) and key not in criteria:
        token = f"prefer.{key}"
    drop = [*parameters["drop"], token] if parameters["q"] else []
    return forms.with_query("/finder", **{**parameters, **answered, "want": wants, "drop": drop})


def _marks(sentence: str, understanding: Understanding, criteria: dict[str, Any]) -> Iterator[Mark]:
    """Yield the sentence in stretches, each with what it was read as."""
    stretches = [(start, end, _kind(key, criteria) or "must") for key, _, start, end in understanding.said if key != "prefer"]
    stretches += [(start, end, "left") for start, end in understanding.not_understood]
    place = 0
    for start, end, kind in sorted(stretches):
        if start >= place:
            if start > place:
                yield Mark(text=sentence[place:start], kind="")
            yield Mark(text=sentence[start:end], kind=kind)
            place = end
    if place < len(sentence):
        yield Mark(text=sentence[place:], kind="")


def _finding(asked: Sought) -> FinderPage:
    suggested = _suggestions(asked.criteria, MOST_SHOWN)
    if suggested is None:
        return FinderPage(asked=asked, advice=[], ways=None, loosened=None, unmeasured=[])
    advice = [_advice(each, suggested) for each in suggested.suggestions]
    return FinderPage(
        asked=asked,
        advice=advice,
        ways=_ways(asked, suggested, advice),
        loosened=_loosening(asked, suggested.loosened) if suggested.loosened else None,
        unmeasured=[each for each in suggested.unmeasured if _is_said(each, asked.criteria)],
    )


def _ways(asked: Sought, suggested: Suggestions, advice: Sequence[Advice]) -> WaysOn:
    codes = [each.card["sku"] for each in advice[:MOST_COMPARED]]
    grades = dict(suggested.query.chosen).get("grade")
    sort, selection_id = ORDERS.get(asked.criteria.get("sort", "")), asked.parameters["s"]
    return WaysOn(
        skus=suggested.skus,
        listed=list_address(suggested.query, sort=sort, s=selection_id),
        compared=forms.with_query("/compare", sku=codes, grade=grades, s=selection_id) if len(codes) > 1 else "",
    )


def _is_said(criterion: tuple[str, Any], criteria: dict[str, Any]) -> bool:
    key, value = criterion
    return key in criteria and (key not in LISTS or value in criteria[key])


def _advice(suggestion: Suggestion, suggested: Suggestions) -> Advice:
    reasons, facts = [], facts_of(suggestion.card)
    for wish, holds in zip(suggested.wishes, suggestion.wishes, strict=True):
        fact, value = wish.fact, facts.get(wish.fact)
        told = {}
        if fact in LABELS and wish.least is not None:
            told = {"label": label(fact), "wanted": spec_value(fact, wish.least)}
            told["value"] = spec_value(fact, value) if value is not None else ""
        reasons.append(WishShown(chip=(wish.key, wish.value), holds=holds, **told))
    return Advice(card=suggestion.card, offer_cents=suggestion.offer_cents, reasons=reasons)


def _loosening(asked: Sought, loosened: Loosened) -> Loosening:
    """Return what to loosen, with its address: a highest price goes up to the lowest there is, any other criterion goes."""
    value, without = (
        asked.criteria.get(loosened.key, True),
        _address_without(loosened.key, None, asked.parameters, asked.criteria),
    )
    if loosened.key == "price_max_cents":
        value, without = loosened.from_cents, forms.with_query("/finder", **{**asked.parameters, "max": loosened.from_cents})
    chip = CriterionShown(kind="must", key=loosened.key, value=value, without=without)
    return Loosening(chip=chip, skus=loosened.skus, from_cents=loosened.from_cents)
