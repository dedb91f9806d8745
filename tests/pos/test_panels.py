from __future__ import annotations

import re
from pathlib import Path

import pytest

import templates
from pos.corners import read_corner
from pos.panels import PANELS, PanelName
from tests import world

STYLES = (Path(templates.__path__[0]) / "static" / "panels.css").read_text()


@pytest.mark.parametrize("name", PANELS)
def test_the_pages_know_the_millimetres_of_every_panel(name: PanelName) -> None:
    [said] = re.findall(rf'\[data-panel="{re.escape(name)}"\] {{ --mm: ([\d.]+)px;', STYLES)

    assert float(said) == pytest.approx(PANELS[name].px_per_mm, abs=0.0005)


def test_a_pixel_of_32_inches_is_more_than_a_third_of_a_millimetre() -> None:
    assert 48 / PANELS["32"].px_per_mm == pytest.approx(17.7, abs=0.05)
    assert 48 / PANELS["10.1"].px_per_mm == pytest.approx(8.2, abs=0.05)


def test_a_corner_says_which_panel_it_has() -> None:
    assert read_corner({**world.corner_document(), "panel": "21.5"}).panel == "21.5"


@pytest.mark.parametrize("told", [{}, {"panel": None}, {"panel": "98"}], ids=str)
def test_a_panel_nobody_told_or_knows_leaves_the_corner_whole(told: dict[str, str]) -> None:
    corner = read_corner({**world.corner_document(), **told})

    assert corner.panel is None
    assert corner.name == "Nantes Crébillon"
