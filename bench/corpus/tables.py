"""The results as tables in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import archives
import frames
from points import Measured, Near, Point, Run, mean, mean_point


def goals(run: Run) -> Iterator[str]:
    """Yield what the project set itself, and what came out."""
    yield "| what | measured | goal |"
    yield "|---|---|---|"
    large = run.large()
    if large:
        yield from archive_goals(large)
    yield f"| `np.load` of our file gives the same array | {len(run.arrays)} arrays | all |"
    count = sum(len(m.blosc2()) for m in run.arrays.values())
    presets, by_name = [], []
    for m in run.arrays.values():
        for point, _, preset in m.unbeaten():
            presets.append(preset)
            by_name.append(m.by_name(point))
    for what, near in [
        ("that a preset beats", presets),
        ("that a preset beats or a pipeline by name", [way for way in by_name if not way.beats()]),
    ]:
        close = sum(way.over.least() >= NOISE for way in near)
        yield (
            f"| points of Blosc2 {what} | {count - len(near):,} of {count:,}"
            f" ({close} of the others within {1 - NOISE:.0%}) | all |"
        )
    auto = mean_point(auto_over_default(m) for m in run.arrays.values())
    yield f"| `auto` against Blosc2's default: ratio, {MEAN} | {goal(auto.ratio, 1.2)} |"
    yield f"| the same: speed of compressing, {MEAN} | {goal(auto.pack, 2)} |"
    for name, m in run.arrays.items():
        if all(point.ratio <= 1 for point in m.presets().values()):
            auto, plain = m.point(m.frames["auto"]), m.point(m.frames[frames.PLAIN])
            larger = m.frames["auto"].size / m.frames[frames.PLAIN].size - 1
            yield f"| `auto` on `{name}`: speed of `dumps` | {goal(auto.pack / plain.pack, 0.5)} |"
            missed = "" if larger <= 0.001 else " (missed)"
            yield f"| the same: larger by | **{larger:.4%}** | 0.1 %{missed} |"


def archive_goals(large: dict[str, Measured]) -> Iterator[str]:
    """Yield the goals of `savez_compressed`, which are those of large arrays."""
    against = {name: Against(m) for name, m in large.items()}
    rows: list[tuple[str, Callable[[Against], float], float | None, float | None]] = [
        ("`savez_compressed` against NumPy: speed", lambda a: a.speed, 12, 5),
        ("the same: ratio", lambda a: a.ratio, 0.97, 0.9),
        ("our file loaded by us, against NumPy's by `np.load`", lambda a: a.load, 5, None),
        ("NumPy's file loaded by us, against `np.load`", lambda a: a.numpys_load, 2, None),
    ]
    for what, of, average, least in rows:
        values = {name: of(a) for name, a in against.items()}
        yield f"| {what}, {MEAN} | {goal(mean(values.values()), average)} |"
        last = min(values, key=values.__getitem__)
        yield f"| {what}, least (`{last}`) | {goal(values[last], least)} |"


class Against:
    """Our archive of one array against NumPy's; above 1 ours is better."""

    def __init__(self, m: Measured) -> None:
        point = {name: m.point(taken) for name, taken in m.archives.items()}
        self.ours, self.theirs = point[archives.OURS], point[archives.NUMPY]
        quotients = self.ours.over(self.theirs)
        self.ratio, self.speed, self.load = quotients.ratio, quotients.pack, quotients.unpack
        self.numpys_load = point[archives.NUMPYS_BY_US].unpack / self.theirs.unpack
        self.ours_by_numpy = point[archives.OURS_BY_NUMPY].unpack / self.theirs.unpack


def npz(run: Run) -> Iterator[str]:
    """Yield `savez_compressed` and `load`, array by array, the largest first."""
    yield (
        "| array | MiB | ratio: NumPy | ndbytes | quotient | save, MB/s: NumPy | ndbytes"
        " | times as fast | load, MB/s: NumPy | ndbytes | times as fast"
        " | NumPy's by ndbytes | ndbytes' by NumPy |"
    )
    yield "|---|" + "---:|" * 12
    for name, m in sorted(run.arrays.items(), key=lambda item: -item[1].nbytes):
        a = Against(m)
        yield (
            f"| `{name}` | {mebibytes(m.nbytes)}"
            f" | {number(a.theirs.ratio)} | {number(a.ours.ratio)} | **{a.ratio:.3f}**"
            f" | {a.theirs.pack:.1f} | {a.ours.pack:.0f} | **{a.speed:.1f}**"
            f" | {a.theirs.unpack:.0f} | {a.ours.unpack:.0f} | **{a.load:.1f}**"
            f" | {a.numpys_load:.1f} | {a.ours_by_numpy:.2f} |"
        )


def presets(run: Run) -> Iterator[str]:
    """Yield ratio and both speeds of each preset, and of Blosc2's default."""
    names = [frames.DEFAULT, *frames.PRESETS]
    yield "| array | " + " | ".join(["Blosc2's default", *(f"`{n}`" for n in names[1:])]) + " |"
    yield "|---|" + "---|" * len(names)
    columns: dict[str, list[Point]] = {name: [] for name in names}
    for array, m in run.arrays.items():
        points = m.frame_points()
        link = f"[`{array}`](plots/corpus/{array}.svg)"
        yield f"| {link} | " + " | ".join(cell(points[name]) for name in names) + " |"
        for name in names:
            columns[name].append(points[name])
    means = {name: mean_point(points) for name, points in columns.items()}
    yield f"| {MEAN} | " + " | ".join(cell(means[name]) for name in names) + " |"
    against = (means[name].over(means[frames.DEFAULT]) for name in names)
    yield "| against Blosc2's default | " + " | ".join(map(triple, against)) + " |"


def unbeaten_by_point(run: Run) -> Iterator[str]:
    """Yield of each point of Blosc2 in how many arrays it is not beaten, and the worst of them."""
    found: dict[str, list[tuple[float, str, bool]]] = {}
    of: Counter[str] = Counter()
    for array, m in run.arrays.items():
        of.update(m.blosc2().keys())
        for name, _, preset in m.unbeaten():
            row = (preset.over.least(), array, m.by_name(name).beats())
            found.setdefault(name, []).append(row)
    yield (
        "| point of Blosc2 | not beaten | within 5 % | furthest, by the nearest preset"
        " | not beaten by name |"
    )
    yield "|---|---:|---:|---|---:|"
    for name, count in of.items():
        rows = found.get(name, [])
        least = "{:.2f} (`{}`)".format(*min(rows)[:2]) if rows else ""
        close = sum(value >= NOISE for value, _, _ in rows)
        left = sum(not beaten for _, _, beaten in rows)
        yield f"| {name} | {len(rows)} of {count} | {close} | {least} | {left} |"


def unbeaten(run: Run) -> Iterator[str]:
    """Yield each point that no preset beats, with the quotients of what comes nearest."""
    yield (
        "| array | point of Blosc2 | ratio, MB/s | nearest preset: ratio, compress, decompress"
        " | nearest pipeline by name |"
    )
    yield "|---|---|---|---|---|"
    for array, m in run.arrays.items():
        for name, theirs, preset in m.unbeaten():
            near = f"{quotients(preset)} | {quotients(m.by_name(name))}"
            yield f"| `{array}` | {name} | {cell(theirs)} | {near} |"


def quotients(near: Near) -> str:
    """Return which way it is, and its quotients."""
    over = near.over
    return f"`{near.name}`: {quotient(over.ratio)}, {over.pack:.2f}, {over.unpack:.2f}"


def corpus(entries: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what the arrays are, and where they come from on which terms."""
    yield "| array | what it is | from | licence | dtype | shape | MiB |"
    yield "|---|---|---|---|---|---|---:|"
    for entry in entries:
        source = "[made](../bench/corpus/synthetic.py)"
        if "version" in entry:
            package, version = entry["source"], entry["version"]
            source = f"[{package}](https://pypi.org/project/{package}/{version}/)"
        dtype = entry["dtype"]
        if not isinstance(dtype, str):
            dtype = ", ".join(f"{kind} {field}" for field, kind in dtype)
        shape = " x ".join(map(str, entry["shape"]))
        yield (
            f"| `{entry['name']}` | {entry['what'].rstrip('.')} | {source} | {entry['licence']}"
            f" | `{dtype.replace('|', '')}` | {shape} | {mebibytes(entry['bytes'])} |"
        )


def auto_over_default(m: Measured) -> Point:
    return m.point(m.frames["auto"]).over(m.point(m.frames[frames.DEFAULT]))


def goal(value: float, wanted: float | None) -> str:
    """Return two cells: what was measured, and what was wanted."""
    text = f"**{value:.3f}**" if value < 2 else f"**{value:.1f}**"
    if wanted is None:
        return f"{text} | "
    return f"{text} | {wanted:g}" + ("" if value >= wanted else " (missed)")


def mebibytes(count: int) -> str:
    return f"{count / 2**20:.2f}" if count >= 1 << 14 else f"{count / 2**20:.4f}"


def cell(point: Point) -> str:
    return f"{number(point.ratio)}, {point.pack:,.0f}, {point.unpack:,.0f}"


def triple(point: Point) -> str:
    return f"{point.ratio:.2f}, {point.pack:.2f}, {point.unpack:.2f}"


def quotient(ratio: float) -> str:
    """Return it so that what is just below 1 does not look like 1."""
    return f"{ratio:.5f}" if 0.9995 <= ratio < 1 else f"{ratio:.3f}"


def number(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 100 else f"{ratio:,.0f}"


MEAN = "geometric mean"
# What a quotient may be below 1 by chance.
NOISE = 0.95
