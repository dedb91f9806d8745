"""The only arithmetic of prices: what a selection costs today, per month and over its commitment.

Kiosk, paper and marketplace call these functions on the same frozen facts. Invariants: integers only; the months of
`schedule` add up to the totals to the cent; the totals of a selection are the sum of those of its lines, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, ClassVar, TypedDict

from pos.errors import Invalid
from pos.figures import Figures, as_json, check_whole, list_of, names_of

HORIZON_MONTHS = 24
"""Anything monthly is totalled over at least two years, so that offers with and without commitment compare."""

LEAST_DEVICE_CENTS = 100
"""A discount never brings a device below 1.00."""

FULL_BP = 10_000


class PlanTermsFacts(TypedDict):
    """`PlanTerms` as the JSON object frozen in slips."""

    monthly_cents: int
    promo_monthly_cents: int | None
    promo_months: int
    commitment_months: int
    activation_cents: int
    exit_fee_cents: int
    device_discount_cents: int
    min_device_cents: int
    refund_cents: int
    instalment_months: int
    deposit_cents: int


class OptionTermsFacts(TypedDict):
    """`OptionTerms` as the JSON object frozen in slips."""

    one_off_cents: int
    monthly_cents: int
    commitment_months: int


class TotalsFacts(TypedDict):
    """`Totals` as the JSON object frozen in slips and orders, whole and of each line."""

    due_today_cents: int
    refund_cents: int
    monthly_now_cents: int
    monthly_later_cents: int
    promo_months: int
    horizon_months: int
    total_cents: int
    total_after_refund_cents: int
    commitment_months: int
    instalments: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTerms(Figures):
    """The figures of a plan: cents tax included where the market says so, durations in months.

    `device_*`, `refund_cents`, `instalment_months` and `deposit_cents` count only with a device on the same line.
    """

    monthly_cents: int
    promo_monthly_cents: int | None
    promo_months: int
    commitment_months: int
    activation_cents: int
    exit_fee_cents: int
    device_discount_cents: int
    min_device_cents: int
    refund_cents: int
    instalment_months: int
    deposit_cents: int

    _may_be_none: ClassVar[frozenset[str]] = frozenset({"promo_monthly_cents"})

    def __post_init__(self) -> None:
        self.check_numbers(*names_of(PlanTerms))

    def to_facts(self) -> PlanTermsFacts:
        """Return the JSON object `from_facts` reads back."""
        facts: PlanTermsFacts = as_json(self)
        return facts

    def monthly_in(self, month: int) -> int:
        """Return what the plan costs in `month`, counted from 1: promo months first, then the regular price."""
        if self.promo_monthly_cents is not None and month <= self.promo_months:
            return self.promo_monthly_cents
        return self.monthly_cents

    def alone(self) -> PlanTerms:
        """Return the same plan without its advantages for a device."""
        return replace(self, device_discount_cents=0, refund_cents=0, instalment_months=0, deposit_cents=0)

    def discount_on(self, device_cents: int) -> int:
        """Return what the plan takes off a device of this all-in price."""
        if device_cents < self.min_device_cents:
            return 0
        return max(0, min(self.device_discount_cents, device_cents - LEAST_DEVICE_CENTS))

    def subsidises(self, device_cents: int | None) -> bool:
        """Tell whether the contract would include a subsidised device, which decides what leaving costs (L224-28).

        Instalments alone are a separate debt, not a subsidy.
        """
        return device_cents is not None and (self.discount_on(device_cents) > 0 or self.refund_cents > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionTerms(Figures):
    """The figures of an option: repair, insurance, data, accessory."""

    one_off_cents: int
    monthly_cents: int
    commitment_months: int

    def __post_init__(self) -> None:
        self.check_numbers(*names_of(OptionTerms))

    def to_facts(self) -> OptionTermsFacts:
        """Return the JSON object `from_facts` reads back."""
        facts: OptionTermsFacts = as_json(self)
        return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a selection; `device_cents` is all-in (price and shipping) for one unit, as are plan and options."""

    quantity: int
    device_cents: int | None
    plan: PlanTerms | None
    options: tuple[OptionTerms, ...]

    def __post_init__(self) -> None:
        check_whole("quantity", self.quantity)
        if self.device_cents is not None:
            check_whole("device_cents", self.device_cents)
        if self.quantity < 1:
            raise Invalid("quantity is at least 1")

    @classmethod
    def from_slip(cls, line: Mapping[str, Any]) -> Line:
        """Read a line of the frozen facts of a slip, where figures stand among names and texts. Raises: Invalid."""
        try:
            listing, plan = line["listing"], line["plan"]
            return cls(
                quantity=line["quantity"],
                device_cents=None if listing is None else listing["all_in_cents"],
                plan=None if plan is None else PlanTerms.from_facts(plan["terms"]),
                options=tuple(OptionTerms.from_facts(option["terms"]) for option in list_of("options", line["options"])),
            )
        except (KeyError, TypeError) as error:
            raise Invalid(f"not a line of a slip: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals(Figures):
    """What a line or a selection costs.

    `total_cents` = due today + every month of each line's own horizon, before conditional refunds;
    `monthly_later_cents` = a month once every promo has ended, while the instalments still run;
    `instalments` = the device's instalments by month, first to last, a part of the monthly amounts.
    """

    due_today_cents: int
    refund_cents: int
    monthly_now_cents: int
    monthly_later_cents: int
    promo_months: int
    horizon_months: int
    total_cents: int
    total_after_refund_cents: int
    commitment_months: int
    instalments: tuple[int, ...]

    def __post_init__(self) -> None:
        self.check_numbers(*(name for name in names_of(Totals) if name not in {"instalments", "total_after_refund_cents"}))
        for cents in list_of("instalments", self.instalments):
            check_whole("instalments", cents)
        after = self.total_after_refund_cents  # below zero when a refund exceeds a small total
        if type(after) is not int or after != self.total_cents - self.refund_cents:
            raise Invalid("total_after_refund_cents is total_cents less refund_cents")

    def to_facts(self) -> TotalsFacts:
        """Return the JSON object `from_facts` reads back."""
        facts: TotalsFacts = as_json(self)
        return facts


def device_price_cents(line: Line) -> int:
    """Return the price of one unit of the device after the plan's discount, in cents, 0 without a device."""
    if line.device_cents is None:
        return 0
    return line.device_cents - (line.plan.discount_on(line.device_cents) if line.plan else 0)


def device_due_cents(line: Line) -> int:
    """Return what of one unit's device is due today, in cents: its price after the plan's discount, or the deposit."""
    return device_price_cents(line) - sum(_device_instalments(line))


def line_totals(line: Line) -> Totals:
    """Return what one line costs, all its units together. Source: reference/domain.md §3, with its test vectors."""
    return _totals_over(line, _horizon(line))


def selection_totals(lines: Iterable[Line]) -> Totals:
    """Return what the lines cost together: sums of amounts, and the longest of each duration."""
    parts = [line_totals(line) for line in lines]
    return Totals(
        due_today_cents=sum(part.due_today_cents for part in parts),
        refund_cents=sum(part.refund_cents for part in parts),
        monthly_now_cents=sum(part.monthly_now_cents for part in parts),
        monthly_later_cents=sum(part.monthly_later_cents for part in parts),
        promo_months=max((part.promo_months for part in parts), default=0),
        horizon_months=max((part.horizon_months for part in parts), default=0),
        total_cents=sum(part.total_cents for part in parts),
        total_after_refund_cents=sum(part.total_after_refund_cents for part in parts),
        commitment_months=max((part.commitment_months for part in parts), default=0),
        instalments=tuple(sum(month) for month in zip_longest(*(part.instalments for part in parts), fillvalue=0)),
    )


def schedule(lines: Sequence[Line], months: int) -> list[int]:
    """Return what is due by month: index 0 today, then months 1 to `months`.

    Each line counts over its own horizon (see `Totals`) and no further, so that the whole schedule is the total.
    """
    due = [0] * (months + 1)
    for line in lines:
        due[0] += line.quantity * _due_today(line)
        for month, cents in enumerate(_months(line, min(months, _horizon(line))), start=1):
            due[month] += line.quantity * cents
    return due


def instalments(amount_cents: int, months: int) -> list[int]:
    """Split an amount into equal instalments; the last takes the difference, so that they sum exactly.

    The equal part is rounded up as lenders do (898.00 over 36: 24.95, last 24.75), or down where rounding up
    would leave nothing for the last month. Source: reference/domain.md §3, credit.
    """
    check_whole("amount_cents", amount_cents)
    check_whole("instalment_months", months)
    if months < 1:
        raise Invalid("instalment_months is at least 1")
    equal = -(-amount_cents // months)
    if equal * (months - 1) >= amount_cents:
        equal = amount_cents // months
    return [equal] * (months - 1) + [amount_cents - equal * (months - 1)]


def early_exit_cents(plan: PlanTerms, *, after_month: int, with_device: bool, rate_bp: int, from_month: int) -> int:
    """Return what leaving costs once `after_month` months have run (L224-28): the plan's exit fee included.

    Months up to `from_month` are due in full; those after it at `rate_bp` when the contract includes a subsidised
    device (`PlanTerms.subsidises`), else not at all. Device instalments are a separate debt and are not counted.
    The rate is a ceiling, so its part is rounded down.
    """
    check_whole("after_month", after_month)
    remaining = range(after_month + 1, plan.commitment_months + 1)
    in_full = sum(plan.monthly_in(month) for month in remaining if month <= from_month)
    at_rate = sum(plan.monthly_in(month) for month in remaining if month > from_month)
    return plan.exit_fee_cents + in_full + (at_rate * rate_bp // FULL_BP if with_device else 0)


def device_plus_sim_only(line: Line, sim_only: PlanTerms) -> Totals:
    """Return what the same device and options cost without the plan's advantages, with `sim_only` beside them.

    Counted over the horizon of `line`, or longer if `sim_only` commits for longer, so that the two totals compare.
    """
    other = replace(line, plan=sim_only.alone())
    return _totals_over(other, max(_horizon(line), _horizon(other)))


def parts(line: Line, costs: Totals) -> tuple[int, int, int]:
    """Split `costs.total_cents` of a line into what the device, the plan and the options cost; they sum exactly."""
    device = line.quantity * device_price_cents(line)
    options = line.quantity * sum(each.one_off_cents + each.monthly_cents * costs.horizon_months for each in line.options)
    return device, costs.total_cents - device - options, options


def _totals_over(line: Line, horizon: int) -> Totals:
    units, plan = line.quantity, line.plan
    device_months = _device_instalments(line)
    months = _months(line, horizon)
    due_today = units * _due_today(line)
    total = due_today + units * sum(months)
    refund = units * plan.refund_cents if plan and line.device_cents is not None else 0
    later = _options_monthly(line) + (plan.monthly_cents if plan else 0) + (device_months[0] if device_months else 0)
    return Totals(
        due_today_cents=due_today,
        refund_cents=refund,
        monthly_now_cents=units * months[0] if months else 0,
        monthly_later_cents=units * later,
        promo_months=plan.promo_months if plan and plan.promo_monthly_cents is not None else 0,
        horizon_months=horizon,
        total_cents=total,
        total_after_refund_cents=total - refund,
        commitment_months=_commitment(line),
        instalments=tuple(units * cents for cents in device_months),
    )


def _horizon(line: Line) -> int:
    device_months = len(_device_instalments(line))
    plan_monthly = line.plan is not None and max(line.plan.monthly_cents, line.plan.promo_monthly_cents or 0) > 0
    is_monthly = plan_monthly or device_months > 0 or _options_monthly(line) > 0
    return max(HORIZON_MONTHS if is_monthly else 0, _commitment(line), device_months)


def _commitment(line: Line) -> int:
    options = max((option.commitment_months for option in line.options), default=0)
    return max(options, line.plan.commitment_months if line.plan else 0)


def _due_today(line: Line) -> int:
    """One unit: the device or its deposit, activation, the one-off part of options."""
    due = sum(option.one_off_cents for option in line.options)
    if line.plan:
        due += line.plan.activation_cents
    return due + device_due_cents(line)


def _months(line: Line, horizon: int) -> list[int]:
    """One unit: plan, options and device instalment of each month from 1 to `horizon`."""
    options, device_months = _options_monthly(line), _device_instalments(line)
    due = [options + (line.plan.monthly_in(month) if line.plan else 0) for month in range(1, horizon + 1)]
    for index, cents in enumerate(device_months[:horizon]):
        due[index] += cents
    return due


def _options_monthly(line: Line) -> int:
    return sum(option.monthly_cents for option in line.options)


def _device_instalments(line: Line) -> list[int]:
    """One unit: empty when the device is absent, due at once, or covered by the deposit."""
    if line.device_cents is None or line.plan is None or line.plan.instalment_months == 0:
        return []
    rest = device_price_cents(line) - line.plan.deposit_cents
    return instalments(rest, line.plan.instalment_months) if rest > 0 else []
