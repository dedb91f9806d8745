"""Which function does a job of which kind, and which jobs are enqueued every so often."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from marketplace.feeds import uploads
from marketplace.money import payments, refunds
from marketplace.money.payouts import PAYOUTS_EVERY, pay_out
from marketplace.orders import activations, sign_ins, timers
from marketplace.orders.step_mails import REMINDER, remind_to_pay
from marketplace.papers.printing import print_attached
from marketplace.running.housekeeping import PUBLISH_EVERY, SWEEP_EVERY, publish_supply_job, sweep
from marketplace.running.jobs import Handler, WhenGivenUp
from marketplace.running.mail import MAIL, MakeLink, deliver
from marketplace.sellers import decision_mails, imports, quality

LINKS: Mapping[str, MakeLink] = {sign_ins.MAIL: sign_ins.make_link, decision_mails.TEMPLATE: decision_mails.make_link}
HANDLERS: Mapping[str, Handler] = {
    MAIL: partial(deliver, attach=print_attached, links=LINKS),
    REMINDER: remind_to_pay,
    "publish": publish_supply_job,
    imports.JOB: imports.take_import,
    uploads.JOB: uploads.take_feed,
    "sweep": sweep,
    "payouts": pay_out,
    "units": timers.move_units,
    quality.JOB: quality.rate,
    payments.JOB: payments.check,
    payments.RELEASE_TIMER: payments.release,
    payments.LOOK_TIMER: payments.look_at_unsettled,
    refunds.JOB: refunds.send,
    activations.JOB: activations.carry,
}
WHEN_GIVEN_UP: Mapping[str, WhenGivenUp] = {imports.JOB: imports.give_up}
TIMERS: Mapping[str, timedelta] = {
    "publish": PUBLISH_EVERY,
    "sweep": SWEEP_EVERY,
    "payouts": PAYOUTS_EVERY,
    "units": timers.EVERY,
    quality.JOB: quality.EVERY,
    payments.RELEASE_TIMER: payments.CHECK_AGAIN,
    payments.LOOK_TIMER: payments.LOOKS_EVERY,
}
"""The kinds of jobs that timers enqueue, and how often."""
