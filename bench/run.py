"""Times ndbytes against its peers: answers checked first, runs interleaved, ratios reported.

    python bench/run.py [--size MIB] [--only WORD] [--seconds S] [--links | --http] [--write]
        [--check]

``--write`` puts the table into ``docs/performance.md`` between its markers; ``--check`` runs tiny
sizes once, to see that every task still works. Absolute times are those of one machine on one day:
only ratios within a row mean anything.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import document
import large
import links
import ndbytes as nb
import servers
import tasks
from timing import Timing


def all_tasks(size: int, folder: Path) -> Iterator[tasks.Task]:
    """Every task; arrays are made as they are come to, and let go after."""
    yield from tasks.memory(size)
    yield from tasks.files(size, folder)
    yield from tasks.small()
    yield from large.serialized(size)
    yield from tasks.sockets(size)
    yield from large.unix_sockets(size)
    yield from tasks.compression(size // 8)


def link_tasks(size: int) -> Iterator[tasks.Task]:
    """Those of links, which have a table of their own."""
    yield from links.large(size)
    yield from links.round_trips()


def rows(task: tasks.Task, timings: dict[str, Timing]) -> Iterator[str]:
    """The lines of one task: the peers, each against us."""
    ours = timings["ndbytes"]
    for name, peer in timings.items():
        if name == "ndbytes":
            continue
        ratio = peer.median / ours.median
        goal = ""
        if task.goal is not None and name == task.against:
            goal = f"{task.goal:g}" + ("" if ratio >= task.goal else " (missed)")
        unit = 1e6 / task.calls if task.calls > 1 else 1e3
        label = "us" if task.calls > 1 else "ms"
        times = " | ".join(
            f"{t.median * unit:.2f} {label} ({t.low * unit:.2f}-{t.high * unit:.2f})"
            for t in (ours, peer)
        )
        yield f"| {task.name} | {name} | {times} | **{ratio:.2f}** | {goal} |"


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=float, default=256, help="MiB of the big arrays")
    parser.add_argument("--only", default="", help="tasks whose name has this in it")
    parser.add_argument("--seconds", type=float, default=8, help="time for each task, about")
    parser.add_argument(
        "--write", action="store_true", help="write the table to docs/performance.md"
    )
    parser.add_argument("--links", action="store_true", help="links alone, into their table")
    parser.add_argument("--http", action="store_true", help="the server alone, into its table")
    parser.add_argument("--check", action="store_true", help="tiny sizes, once")
    options = parser.parse_args()
    size = (1 << 20) if options.check else int(options.size * (1 << 20))
    lines = [
        "| task | peer | ndbytes, median (range) | peer, median (range) | times as fast | goal |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    with tempfile.TemporaryDirectory() as folder:
        if options.links:
            chosen = link_tasks(size)
        elif options.http:
            chosen = servers.large(4 * size, Path(folder))
        else:
            chosen = all_tasks(size, Path(folder))
        for task in chosen:
            if options.only not in task.name:
                continue
            task.verify()
            if options.check:
                print(f"| {task.name} | checked |")
                continue
            for line in rows(task, task.timings(options.seconds)):
                print(line, flush=True)
                lines.append(line)
    if options.http:
        for line in servers.loads(options.seconds, options.check, options.only):
            print(line, flush=True)
            lines.append(line)
    if options.write:
        table = "links" if options.links else "http" if options.http else "bench"
        write(table, lines, options.size)


def write(name: str, lines: list[str], size: float) -> None:
    """Put the table into its place in the page."""
    versions = (
        f"Python {platform.python_version()}, NumPy {np.__version__}, ndbytes {nb.__version__}"
    )
    document.write(
        name, f"{versions}; arrays of {size:g} MiB unless the task says otherwise.", lines
    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
