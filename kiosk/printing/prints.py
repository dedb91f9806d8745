"""A tap on "print": the paper is queued on disk, its printer woken, and the page waits a moment for the outcome."""

from __future__ import annotations

from kiosk import files, prices
from kiosk.diagnosis import diagnose
from kiosk.printing import day_papers, print_jobs, rulers
from kiosk.printing.diagnostic_paper import diagnostic_bytes
from kiosk.printing.labels import label_bytes
from kiosk.printing.print_jobs import IsDue, PrintJob, Wanted, always
from kiosk.printing.profiles import PaperSetup
from kiosk.printing.tags import BADGE, TAG, badge_wanted, tag_wanted
from pos import clock, day_reports, demo_devices, labels, shelf_labels, skus
from pos.errors import NotFound
from pos.shelf_labels import LabelSettled, ShelfLabel
from pos.team import member_called
from shop.door import visitor

WAIT_S = 1.2
"""How long the page waits for the printer before it shows the paper as it stands."""
RULER, PROOF = "ruler", "proof"


def print_paper(wanted: Wanted, *, printer: str | None = None, is_due: IsDue = always, wait_s: float = WAIT_S) -> int:
    """Queue a paper for a printer, or for the one for slips, and return its job. Raises: as `print_jobs.enqueue`."""
    kiosk = files.kiosk()
    with files.ops_store().write() as ops:
        job_id = print_jobs.enqueue(ops, wanted, printer=printer, is_due=is_due, now=clock.now())
    queued = print_jobs.job(files.ops(), job_id, now=clock.now())
    if queued is not None:
        kiosk.workers.wake(queued["printer"])
        with kiosk.turns.given_up():
            kiosk.workers.wait_ended(job_id, wait_s)
    return job_id


def setup_wanted(name: str, which: str, *, requested_by: str) -> Wanted:
    """Return a paper that a printer is set up with: its `RULER`, or the `PROOF` of what was chosen. Raises: NotFound."""
    if which == RULER:
        return Wanted(
            kind="test", subject=f"{which}:{name}", requested_by=requested_by, render=lambda takes, _: rulers.ruler_bytes(takes)
        )
    if which == PROOF:
        return Wanted(
            kind="test",
            subject=f"{which}:{name}",
            requested_by=requested_by,
            render=lambda takes, _: rulers.proof_bytes(takes, name),
        )
    raise NotFound(f"no paper {which!r}")


def label_wanted(label: ShelfLabel, *, requested_by: str) -> Wanted:
    """Return a label's paper: the same words and mark on whatever printer."""
    corner = files.corner()
    code = shelf_labels.label_code(corner, label)

    def render(takes: PaperSetup, _: int) -> bytes:
        return label_bytes(label, code, takes, zone=corner.time_zone)

    return Wanted(kind="label", subject=label.subject, requested_by=requested_by, render=render)


def device_tag_wanted(demo_id: str, *, requested_by: str) -> Wanted:
    """Return the tag of a demo device, with its model where the catalogue knows it. Raises: NotFound."""
    device = demo_devices.device(files.ops(), files.corner(), demo_id)
    try:
        model = skus.sku_by_id(files.catalog(), device.sku_id)["model"]
    except NotFound:
        model = device.position
    return tag_wanted(files.corner(), device, model, requested_by=requested_by)


def diagnostic_wanted(at: str, *, requested_by: str) -> Wanted:
    """Return the paper that says how this kiosk is, asked for `at` a UTC text: two taps within a minute are one paper."""
    language = visitor().language

    def render(takes: PaperSetup, _copy_no: int) -> bytes:
        return diagnostic_bytes(diagnose(files.kiosk(), now=clock.now()), paper=takes, language=language)

    return Wanted(kind="diagnostic", subject=at[:16], requested_by=requested_by, render=render)


def wanted_again(job: PrintJob, *, requested_by: str) -> Wanted:
    """Return the paper of a job, to be rendered anew. Raises: NotFound, RecordsDamaged, LabelSettled for an untrue one."""
    if job["kind"] == "label":
        label = shelf_labels.shelf_label(files.ops(), int(job["subject"].partition(":")[0]))
        facts = labels.label_facts(files.catalog(), files.corner(), label.facts["sku_id"], now=clock.now())
        if label.state not in ("printed", "standing") or not label.tells(facts):
            raise LabelSettled(position=label.position)
        return label_wanted(label, requested_by=requested_by)
    if job["kind"] == "diagnostic":
        return diagnostic_wanted(job["subject"], requested_by=requested_by)
    if job["kind"] == "test":
        which, _, name = job["subject"].partition(":")
        if which == BADGE:
            return badge_wanted(files.corner(), member_called(files.ops(), files.corner(), name), requested_by=requested_by)
        if which == TAG:
            return device_tag_wanted(name, requested_by=requested_by)
        return setup_wanted(name, which, requested_by=requested_by)
    if job["kind"] == "report":
        report = day_reports.day_report(files.ops(), files.corner(), job["subject"], now=prices.trusted_now(files.ops_store()))
        return day_papers.report_wanted(report, files.corner(), visitor().language, requested_by=requested_by)
    return print_jobs.slip_wanted(files.ops(), job["subject"], requested_by=requested_by)
