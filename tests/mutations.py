"""Bugs that a named test of the quick run must catch: `python -m tests.mutations` plants each and says what became of it.

A bug is a piece of a module's source replaced before anything imports the module, in a process of its own. One that no longer
fits the source fails loudly, so that it is carried along when the code changes. `tests/sync/mutations.py` has three more, which
only a history of the simulator shows.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[1]
TESTS_FAILED = 1
LONGEST_S = 300


@dataclass(frozen=True, slots=True)
class Bug:
    """A piece of a module, what stands there instead, and the test (`path::name`) that must fail then."""

    module: str
    right: str
    wrong: str
    test: str

    def __str__(self) -> str:
        """Name the bug by what it takes away."""
        return f"{self.module}: {' '.join(self.right.split())}"


BUGS = (
    # Totals
    Bug(
        "pos.totals",
        "[amount_cents - equal * (months - 1)]",
        "[equal]",
        "tests/pos/test_totals.py::test_device_in_instalments_sums_to_its_price_with_the_cent_difference_last",
    ),
    Bug(
        "pos.totals",
        "month <= self.promo_months",
        "month < self.promo_months",
        "tests/pos/test_totals.py::test_free_promo_months_are_counted_as_free",
    ),
    Bug(
        "pos.totals",
        "(at_rate * rate_bp // FULL_BP if with_device else 0)",
        "-(-at_rate * rate_bp // FULL_BP if with_device else 0)",
        "tests/pos/test_totals.py::test_early_exit_rate_is_a_ceiling_so_its_part_is_rounded_down",
    ),
    Bug(
        "pos.totals",
        "if device_cents < self.min_device_cents:",
        "if device_cents <= self.min_device_cents:",
        "tests/pos/test_totals.py::test_discount_needs_the_minimum_device",
    ),
    # Tokens
    Bug(
        "pos.tokens",
        "private_key.sign(DOMAIN + body)",
        "private_key.sign(body)",
        "tests/pos/test_tokens.py::test_the_worked_examples_of_the_protocol_page_hold",
    ),
    Bug(
        "pos.tokens",
        "    if _body(token) != body:\n",
        "    if False:\n",
        "tests/pos/test_tokens.py::test_a_number_written_longer_than_needed_is_refused",
    ),
    Bug(
        "pos.tokens",
        "(2 if place % 2 == 0 else 1)",
        "1",
        "tests/pos/test_tokens.py::test_a_slip_number_refuses_two_neighbours_swapped",
    ),
    # Offers
    Bug(
        "pos.offers",
        "seller.quality_bp * {SCALE} / ({{price}} + listing.shipping_cents) desc",
        "seller.quality_bp * {SCALE} / ({{price}}) desc",
        "tests/pos/test_offers.py::test_what_shipping_adds_counts_in_the_race",
    ),
    Bug(
        "pos.offers",
        "and seller.suspended = 0",
        "",
        "tests/pos/test_offers.py::test_who_is_out_of_the_race",
    ),
    Bug(
        "pos.offers",
        "    return keys_before != keys_after or ",
        "    return False and ",
        "tests/pos/test_offers.py::test_refreshing_the_touched_equals_refreshing_all",
    ),
    # Labels
    Bug(
        "pos.shelf_labels",
        "all(facts.get(name) == value",
        "any(facts.get(name) == value",
        "tests/pos/test_labels.py::test_a_label_is_printed_put_up_overtaken_and_replaced",
    ),
    Bug(
        "pos.labels",
        "lower.prior_cents if lower and not offer.shipping_cents else None",
        "lower.prior_cents if lower else None",
        "tests/pos/test_labels.py::test_a_former_price_stands_on_a_label_only_with_its_evidence",
    ),
    Bug(
        "pos.offers",
        "price_start_id <= listing.listing_id || '@' || ?",
        "price_start_id < listing.listing_id || '@' || ?",
        "tests/pos/test_labels.py::test_an_announced_price_is_warned_of_three_days_before",
    ),
    # Outbox
    Bug(
        "pos.outbox",
        'f"{prev}\\n{seq}\\n{kind}\\n{body}"',
        'f"{seq}\\n{kind}\\n{body}"',
        "tests/pos/test_outbox.py::test_the_link_is_what_the_protocol_says",
    ),
    Bug(
        "pos.slips",
        '    outbox.record(ops, "slip_issued", {**event, "digits": tokens.to_digits(signed), "facts": facts}, now=now)\n',
        "",
        "tests/pos/test_slips.py::test_a_slip_and_its_event_are_one",
    ),
    Bug(
        "pos.outbox",
        "    if size > MOST_BYTES:\n",
        "    if False:\n",
        "tests/pos/test_outbox.py::test_what_could_not_travel_is_no_event",
    ),
    # Eligibility
    Bug(
        "pos.eligibility",
        'if acquisition not in body["acquisitions"]:',
        "if False:",
        "tests/pos/test_eligibility.py::test_acquisition_not_offered_tells_what_is_and_the_plan_above_that_does",
    ),
    # Inbox
    Bug(
        "marketplace.events.inbox",
        'if each["seq"] != acked + 1:',
        "if False:",
        "tests/marketplace/events/test_inbox.py::test_a_gap_is_kept_and_acknowledged_once_filled",
    ),
    Bug(
        "marketplace.events.inbox",
        "if known.setdefault(event.seq, event.sha256) != event.sha256:",
        "if False:",
        "tests/marketplace/events/test_inbox.py::test_another_story_under_the_same_number_suspends_the_stream",
    ),
    Bug(
        "marketplace.events.inbox",
        'if device is None or not tokens.verify(data, bytes(device["public_key"])):',
        "if device is None:",
        "tests/marketplace/events/test_inbox.py::test_a_slip_under_a_known_key_that_it_did_not_sign_is_set_aside",
    ),
    # Trust
    Bug(
        "sync.corner.trust",
        'version < highest["version"]',
        "False",
        "tests/sync/corner/test_trust.py::test_a_lost_directory_is_rebuilt_and_remembers_what_it_saw",
    ),
    Bug(
        "sync.corner.trust",
        "    trusted_set(updater).reference_time = at\n",
        "    pass\n",
        "tests/sync/corner/test_trust.py::test_a_frozen_hq_is_noticed_by_trusted_time_though_the_clock_stands_still",
    ),
    Bug(
        "sync.corner.trust",
        "            info.verify_length_and_hashes(content)\n            return content\n",
        "            return content\n",
        "tests/sync/corner/test_trust.py::test_every_half_written_file_is_made_good",
    ),
    Bug(
        "sync.corner.trust",
        "        metadata.signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)\n",
        "",
        "tests/sync/corner/test_trust.py::test_a_root_that_does_not_vouch_for_itself_is_not_pinned",
    ),
    # Publishing
    Bug(
        "sync.hq.log",
        "delete_marks(connection, market, entry.marks)",
        'connection.exec_driver_sql("delete from sync_dirty")',
        "tests/sync/hq/test_publisher.py::test_a_mark_set_while_publishing_stays_for_the_next",
    ),
    Bug(
        "sync.hq.publisher",
        "    if publication_of(publisher.replica) > track.publication:\n        return None\n",
        "",
        "tests/sync/hq/test_publisher.py::test_a_restored_database_starts_new_epochs_and_kiosks_follow",
    ),
    Bug(
        "sync.follower",
        "== (held.track, held.era) and track.publication < held.publication",
        "== (held.track, held.era) and False",
        "tests/sync/test_follower.py::test_an_older_head_is_left_aside",
    ),
    # Reservation and orders
    Bug(
        "marketplace.orders.stock",
        "and state = 'online' and quantity - reserved >= :quantity",
        "and state = 'online'",
        "tests/marketplace/orders/test_orders.py::test_two_lines_of_one_slip_do_not_share_the_last_unit",
    ),
    Bug(
        "marketplace.orders.stock",
        '        marks.add(market, "stock", line["listing_id"])\n',
        "        pass\n",
        "tests/marketplace/orders/test_orders.py::test_a_reserved_unit_leaves_the_published_stock",
    ),
    Bug(
        "marketplace.orders.placing",
        "    if total_cents > seen_cents if seen_cents is not None else is_changed:\n",
        "    if False:\n",
        "tests/marketplace/orders/test_orders.py::test_a_total_that_rose_since_the_page_is_not_charged_silently",
    ),
    # Print states
    Bug(
        "kiosk.printing.printers",
        'return Outcome("uncertain" if count else "failed", problem)',
        'return Outcome("failed", problem)',
        "tests/kiosk/printing/test_printers.py::test_a_printer_that_stops_reading_is_uncertain_within_the_deadlines",
    ),
    Bug(
        "kiosk.printing.printers",
        'if answer.kind == "process_id" and answer.data == process_id:',
        'if answer.kind == "process_id":',
        "tests/kiosk/printing/test_printers.py::test_the_id_of_an_earlier_job_confirms_nothing",
    ),
    Bug(
        "kiosk.printing.print_jobs",
        'Outcome("uncertain", "interrupted"), now=now)',
        'Outcome("failed", "interrupted"), now=now)',
        "tests/kiosk/test_slips.py::test_a_print_interrupted_by_a_crash_asks_a_person",
    ),
    # Throttles and doors
    Bug(
        "pos.throttle",
        "        if wait:\n            return wait\n",
        "",
        "tests/marketplace/test_console.py::test_guessing_many_at_once_gets_no_more_tries",
    ),
    Bug(
        "pos.clerks",
        "    if wait or member is None:\n",
        "    if member is None:\n",
        "tests/pos/test_clerks.py::test_many_wrong_pins_at_once_are_judged_no_more_often_than_in_turn",
    ),
    Bug(
        "pos.throttle",
        "failures < self.free_tries",
        "failures <= self.free_tries",
        "tests/pos/test_clerks.py::test_after_five_failures_every_try_waits_twice_as_long",
    ),
    Bug(
        "pos.clerks",
        "names = _counted(clerk_id) if member else {KIOSK_ROW: KIOSK}",
        "names = {clerk_id: PINS}",
        "tests/pos/test_clerks.py::test_names_tried_in_turn_make_the_whole_kiosk_wait_for_minutes_at_most",
    ),
    Bug(
        "pos.trusted_time",
        'begun = kept["seconds"] if is_same_start else 0',
        "begun = 0",
        "tests/pos/test_clerks.py::test_a_clock_set_during_a_lock_out_neither_ends_nor_lengthens_it",
    ),
    Bug(
        "kiosk.counter.sessions",
        "        if session.is_locked:\n",
        "        if False:\n",
        "tests/kiosk/counter/test_locks.py::test_a_locked_session_answers_with_the_lock_everywhere",
    ),
    Bug(
        "marketplace.sessions",
        'name = f"console {source}"',
        'name = "console"',
        "tests/marketplace/test_console.py::test_guessing_from_elsewhere_locks_nobody_out",
    ),
    Bug(
        "pos.slips",
        " and slip.selection_id in (select selection_id from selection)",
        "",
        "tests/kiosk/test_slips.py::test_after_the_visit_a_slip_is_as_one_that_never_was",
    ),
    Bug(
        "pos.origins",
        'return "untold" if site is None else "own"',
        'return "own"',
        "tests/pos/test_origins.py::test_a_form_without_its_origin_is_known_where_the_browser_tells_the_site",
    ),
)


class Planting(MetaPathFinder, Loader):
    """Finds the module of a bug with the bug in it."""

    def __init__(self, bug: Bug) -> None:
        self._bug = bug

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Take over the one module; everything else is found as ever."""
        if name != self._bug.module:
            return None
        found = PathFinder.find_spec(name, path, target)
        assert found is not None
        assert isinstance(found.loader, SourceFileLoader)
        return importlib.util.spec_from_file_location(name, found.origin, loader=Spoilt(name, found.loader.path, self._bug))


class Spoilt(SourceFileLoader):
    """Loads a module with a bug in its source, and leaves no compiled file of it behind."""

    def __init__(self, name: str, path: str, bug: Bug) -> None:
        super().__init__(name, path)
        self._bug = bug

    def get_code(self, fullname: str) -> CodeType:
        """Compile what the bug makes of the source."""
        source = Path(self.path).read_text(encoding="utf-8")
        assert source.count(self._bug.right) == 1, f"{self._bug.module} no longer reads as the bug expects: {self._bug.right}"
        code: CodeType = compile(source.replace(self._bug.right, self._bug.wrong), self.path, "exec")
        return code


def run_planted(number: int) -> int:
    """Run the test of a bug with the bug planted, in this process, and return pytest's status."""
    import pytest

    sys.meta_path.insert(0, Planting(BUGS[number]))
    # In their order: SQLite's turn is first, and where it shows the bug no PostgreSQL is started.
    return int(pytest.main([BUGS[number].test, "-n0", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly"]))


def is_caught(bug: Bug) -> bool:
    """Tell whether the bug's test fails once it is planted. Raises: AssertionError when it could not be run."""
    program = f"import sys; from tests.mutations import run_planted; sys.exit(run_planted({BUGS.index(bug)}))"
    command = [sys.executable, "-B", "-c", program]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    said = ended.stdout + ended.stderr
    assert ended.returncode in (0, TESTS_FAILED), said
    assert "no longer reads" not in said, said
    return ended.returncode == TESTS_FAILED


def main() -> int:
    """Plant each bug and say what became of it; the status is 1 when one was not caught."""
    missed = [bug for bug in BUGS if not _shown(bug)]
    sys.stdout.write(f"{len(BUGS) - len(missed)} of {len(BUGS)} planted bugs are caught\n")
    return 1 if missed else 0


def _shown(bug: Bug) -> bool:
    caught = is_caught(bug)
    sys.stdout.write(f"{'caught' if caught else 'MISSED'}  {bug}\n        {bug.test}\n")
    sys.stdout.flush()
    return caught


if __name__ == "__main__":
    sys.exit(main())
