"""Pages, styles and translations; `PATH` is the folder they stand in."""

from pathlib import Path

PATH = Path(__file__).parent
