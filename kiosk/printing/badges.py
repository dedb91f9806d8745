"""Somebody's badge on the corner's own paper: who it is, and the code that says so at the counter. It opens nothing."""

from __future__ import annotations

from kiosk.printing import paper
from kiosk.printing.print_jobs import Wanted
from kiosk.printing.profiles import PaperSetup
from kiosk.printing.slip_text import Block, Code, Logo, Space, Text
from pos import scans
from pos.corners import Corner
from pos.team import TeamMember, badge_value

BADGE = "badge"


def badge_code(corner: Corner, member: TeamMember) -> str:
    """Return what a scanner reads off somebody's badge."""
    return scans.code_of("badge", badge_value(corner.corner_id, member["clerk_id"]))


def badge_wanted(corner: Corner, member: TeamMember, *, requested_by: str) -> Wanted:
    """Return the paper of a badge. The one-time code is never on it: what is printed is kept with its job."""

    def render(takes: PaperSetup, _copy_no: int) -> bytes:
        code = badge_code(corner, member)
        blocks: list[Block] = [
            Logo(),
            Space(14),
            Text(member["name"], size="big", align="center", is_bold=True),
            Text(corner.name, align="center"),
            Space(14),
            Code(instead=code),
            Text(code, size="small", align="center"),
        ]
        return paper.set_on(takes, blocks, code)

    return Wanted(kind="test", subject=f"{BADGE}:{member['clerk_id']}", requested_by=requested_by, render=render)
