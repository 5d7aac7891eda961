"""Puts what was measured into a page of ``docs``, between the markers of its table."""

from __future__ import annotations

import os
import platform
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
PERFORMANCE = DOCS / "performance.md"


def write(name: str, facts: str, lines: list[str]) -> None:
    """Put `lines` into the page of performance, as `replace` does.

    `facts` says under which conditions they were found; the machine is added.
    """
    replace(PERFORMANCE, name, [f"{machine()}; {facts}", "", *lines])


def replace(page: Path, name: str, lines: list[str]) -> None:
    """Replace what stands between ``<!-- name:begin -->`` and ``<!-- name:end -->``."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, mark, rest = page.read_text().partition(begin)
    _, closing, after = rest.partition(end)
    if not mark or not closing:
        raise SystemExit(f"{page} has no {begin} ... {end}")
    page.write_text(before + "\n".join([begin, *lines, end]) + after)


def machine() -> str:
    """What the machine is, as far as a figure depends on it."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.release()}"
