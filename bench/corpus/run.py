"""Compares ndbytes on the corpus: `.npz` with NumPy, frames with python-blosc2.

    make bench-corpus BENCH="[--only WORD,...] [--seconds S] [--write] [--to FILE]
        [--from FILE [--ways WAY,...]]"

Every answer is checked before its time counts; the ways take turns, with two processors for all.
What was measured is kept as JSON (``--to``), from which ``--from`` makes tables and figures again.
``--ways`` measures some of it anew: names of presets or of Blosc2's points, ``archives``, or
``by-name``, which are our pipelines where no preset beats a point.
``--write`` puts the tables into ``docs/corpus.md`` and the figures into ``docs/plots/corpus``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import blosc2
import numpy as np

import archives
import document
import drawing
import frames
import ndbytes as nb
import tables
from points import Measured, Run
from turns import measure

DATA = Path(__file__).parent / "data"
BY_NAME = "by-name"
PAGE = document.DOCS / "corpus.md"
PLOTS = document.DOCS / "plots" / "corpus"


def main() -> None:
    """Run what was asked for."""
    options = parse()
    entries = json.loads((DATA / "corpus.json").read_text())
    words = options.only.split(",")
    names = [e["name"] for e in entries if any(word in e["name"] for word in words)]
    run = Run(facts(options.seconds), {})
    if options.source:
        run = Run.read(options.source)
        names = [name for name in names if name in run.arrays]
        run.arrays = {name: run.arrays[name] for name in names}
    if options.ways or not options.source:
        use_processors(frames.THREADS)
        for name, measured in measure_all(names, options.ways, options.seconds):
            before = run.arrays.setdefault(name, measured)
            before.archives |= measured.archives
            before.frames |= measured.frames
            if BY_NAME in options.ways.split(",") or lacks_names(before):
                by_name(name, before, options.seconds)
            print("\n".join(summary(name, before)), flush=True)
            run.write(options.to)
    for name, measured in run.arrays.items():
        if lacks_names(measured):
            by_name(name, measured, options.seconds)
    print("\n".join(tables.goals(run)))
    if options.write:
        write(run, entries)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="arrays whose names hold one of these (a,b)")
    parser.add_argument("--seconds", type=float, default=0.3, help="each way, each direction")
    parser.add_argument("--write", action="store_true", help="tables and figures into docs")
    parser.add_argument("--from", dest="source", type=Path, help="what was measured before")
    parser.add_argument("--ways", default="", help="with --from: what is measured anew (a,b)")
    parser.add_argument("--to", type=Path, help="keeps what is measured")
    options = parser.parse_args()
    if options.ways and not options.source:
        parser.error("--ways takes the rest from a file: --from FILE")
    # A part must not take the place of the whole.
    options.to = options.to or DATA / ("part.json" if options.only or options.ways else "run.json")
    return options


def measure_all(names: list[str], only: str, seconds: float) -> Iterator[tuple[str, Measured]]:
    """Yield what each array took, by all ways or only by some."""
    chosen = only.split(",")
    to_bytes = {name: way for name, way in frames.ways().items() if not only or name in chosen}
    memory = archives.MEMORY if archives.MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        to_files = archives.ways(Path(folder)) if not only or "archives" in chosen else {}
        for name in names:
            array = np.load(DATA / f"{name}.npy")
            halves = (measure(array, ways, seconds) for ways in (to_files, to_bytes))
            yield name, Measured(array.nbytes, *halves)


def lacks_names(m: Measured) -> bool:
    """Whether there are points that no preset beats, and of which more is to be measured."""
    return any(point not in m.again for point, *_ in m.unbeaten())


def by_name(name: str, m: Measured, seconds: float) -> None:
    """Measure the points of Blosc2 that no preset beats, and our pipelines of that kind."""
    left = [point for point, *_ in m.unbeaten()]
    if not left:
        return
    all_ = frames.ways()
    # Some of ours have the names of Blosc2's.
    theirs = {f"blosc2: {point}": all_[point] for point in left}
    ours = frames.namesakes(left)
    taken = measure(np.load(DATA / f"{name}.npy"), theirs | ours, seconds)
    m.again = {point: taken[f"blosc2: {point}"] for point in left}
    m.pipelines = {way: taken[way] for way in ours}


def use_processors(count: int) -> None:
    """Leave so many to this process; who asks how many there are takes as many threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def facts(seconds: float) -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "machine": document.machine(),
        "versions": f"Python {platform.python_version()}, NumPy {np.__version__}, ndbytes"
        f" {nb.__version__}, python-blosc2 {blosc2.__version__}",
        "seconds": seconds,
    }


def summary(name: str, m: Measured) -> Iterator[str]:
    """Yield what came of one array, in lines for people who wait."""
    yield name
    for way, taken in {**m.archives, **m.frames}.items():
        point = m.point(taken)
        if way in m.archives or way in {*frames.PRESETS, frames.DEFAULT}:
            yield f"   {way:24} {point.ratio:10.3f} {point.pack:8.0f} {point.unpack:8.0f}"
    for way, point, preset in m.unbeaten():
        near = m.by_name(way)
        yield (
            f"   {' ' if near.beats() else '!'} {way:22} {point.ratio:10.3f} {point.pack:8.0f}"
            f" {point.unpack:8.0f}   {tables.quotients(preset)}   {tables.quotients(near)}"
        )


def write(run: Run, entries: list[dict[str, Any]]) -> None:
    """Put the tables into the page, and draw the figures."""
    import charts

    conditions = f"{run.facts['machine']}; {run.facts['versions']}; two threads each."
    document.replace(PAGE, "goals", [conditions, "", *tables.goals(run)])
    document.replace(PAGE, "npz", [*tables.npz(run)])
    document.replace(PAGE, "presets", [OVERVIEW, "", *tables.presets(run)])
    document.replace(PAGE, "points", [*tables.unbeaten_by_point(run)])
    document.replace(PAGE, "unbeaten", [*tables.unbeaten(run)])
    document.replace(PAGE, "arrays", [*tables.corpus(entries)])
    drawing.save(charts.overview(run), PLOTS / "overview.svg")
    for entry in entries:
        if found := run.arrays.get(entry["name"]):
            figure = charts.of_array(entry["name"], found, entry)
            drawing.save(figure, PLOTS / f"{entry['name']}.svg")


OVERVIEW = "![Ratio against speed, geometric means over the corpus](plots/corpus/overview.svg)"


if __name__ == "__main__":
    main()
