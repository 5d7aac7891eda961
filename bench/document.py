"""Puts what was measured into ``docs/performance.md``, between the markers of its table."""

from __future__ import annotations

import os
import platform
from pathlib import Path

PERFORMANCE = Path(__file__).parent.parent / "docs" / "performance.md"


def write(name: str, facts: str, lines: list[str]) -> None:
    """Replace what stands between ``<!-- name:begin -->`` and ``<!-- name:end -->``.

    `facts` says under which conditions the `lines` were found; the machine is added.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, mark, rest = PERFORMANCE.read_text().partition(begin)
    _, closing, after = rest.partition(end)
    if not mark or not closing:
        raise SystemExit(f"{PERFORMANCE} has no {begin} ... {end}")
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}"
    text = "\n".join([begin, f"{machine}; {facts}", "", *lines, end])
    PERFORMANCE.write_text(before + text + after)
