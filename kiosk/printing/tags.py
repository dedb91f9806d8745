"""Papers that name somebody or something by a code: a clerk's badge, a demo device's tag. They open nothing."""

from __future__ import annotations

from kiosk.printing import paper
from kiosk.printing.print_jobs import Wanted
from kiosk.printing.profiles import PaperSetup
from kiosk.printing.slip_text import Block, Code, Logo, Space, Text
from pos import scans
from pos.corners import Corner
from pos.planogram import DemoDevice
from pos.team import TeamMember, badge_value

BADGE, TAG = "badge", "tag"


def badge_code(corner: Corner, member: TeamMember) -> str:
    """Return what a scanner reads off somebody's badge."""
    return scans.code_of("badge", badge_value(corner.corner_id, member["clerk_id"]))


def badge_wanted(corner: Corner, member: TeamMember, *, requested_by: str) -> Wanted:
    """Return the paper of a badge. The one-time code is never on it: what is printed is kept with its job."""
    subject = f"{BADGE}:{member['clerk_id']}"
    return _wanted(subject, member["name"], corner.name, badge_code(corner, member), requested_by=requested_by)


def tag_wanted(corner: Corner, device: DemoDevice, model: str, *, requested_by: str) -> Wanted:
    """Return the tag to be stuck on a demo device, for rounds by scan; its place is not on it, since devices move."""
    code = scans.code_of("device", device.demo_id)
    return _wanted(f"{TAG}:{device.demo_id}", model, corner.name, code, requested_by=requested_by)


def _wanted(subject: str, name: str, below: str, code: str, *, requested_by: str) -> Wanted:
    def render(takes: PaperSetup, _copy_no: int) -> bytes:
        blocks: list[Block] = [
            Logo(),
            Space(14),
            Text(name, size="big", align="center", is_bold=True),
            Text(below, align="center"),
            Space(14),
            Code(instead=code),
            Text(code, size="small", align="center"),
        ]
        return paper.set_on(takes, blocks, code)

    return Wanted(kind="test", subject=subject, requested_by=requested_by, render=render)
