"""Figures of ratio against speed, for each array and over all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import pyplot
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

import frames
from drawing import BLUE, GREEN, GREY, ORANGE, PINK, SKY, tidy
from labels import Label, place_labels
from points import Measured, Point, Run, mean_point

Place = tuple[float, float]
COLOURS = dict(zip(frames.CODECS, [GREY, SKY, BLUE, PINK, GREEN], strict=True))
MARKERS = dict(zip(frames.FILTERS, ["o", "^"], strict=True))
SIZES = dict(zip(frames.LEVELS, [3.0, 4.7, 6.5], strict=True))


def draw(title: str, points: dict[str, Point]) -> Any:
    """Return the figure: ratio up; to the right the speed of compressing, and of decompressing."""
    picture, panels = pyplot.subplots(1, 2, figsize=(9, 4.3), sharey=True, layout="constrained")
    points = {name: point for name, point in points.items() if name != frames.PLAIN}
    ratios = [point.ratio for point in points.values()]
    if max(ratios) > 4 * min(ratios):
        logarithmic(panels[0], panels[0].yaxis, ratios)
    else:
        panels[0].ticklabel_format(axis="y", useOffset=False)
        # What is nearly equal shall look so.
        margin = max(0.05 * (max(ratios) - min(ratios)), 0.03)
        panels[0].set_ylim(min(ratios) - margin, max(ratios) + margin)
    places = [{name: (p.pack, p.ratio) for name, p in points.items()}]
    places += [{name: (p.unpack, p.ratio) for name, p in points.items()}]
    for axes, there in zip(panels, places, strict=True):
        logarithmic(axes, axes.xaxis, [x for x, _ in there.values()])
        for name, (x, y) in there.items():
            axes.plot(x, y, linestyle="", clip_on=False, **style(name))
        for front, colour in zip(fronts(there), (GREY, ORANGE), strict=True):
            axes.plot(*zip(*front, strict=True), color=colour, linewidth=1, alpha=0.6, zorder=1)
        tidy(axes)
    panels[0].set_ylabel("ratio")
    panels[0].set_xlabel("compress (MB/s)")
    panels[1].set_xlabel("decompress (MB/s)")
    picture.suptitle(title, fontsize=11)
    picture.legend(handles=legend(), loc="outside right upper", frameon=False, fontsize=8)
    # Where a label fits is known when all else has its place, which then must not move.
    picture.canvas.draw()
    picture.set_layout_engine("none")
    for axes, there in zip(panels, places, strict=True):
        name_presets(axes, there)
    return picture


def logarithmic(axes: Any, axis: Any, values: list[float]) -> None:
    """Make an axis so, with more ticks where the values are near to each other."""
    (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
    near = max(values) < 200 * min(values)
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if near else (1,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:,.6g}")


def overview(run: Run) -> Any:
    """Return the figure of the geometric means over all arrays."""
    names = next(iter(run.arrays.values())).frames
    means = {
        name: mean_point(m.point(m.frames[name]) for m in run.arrays.values()) for name in names
    }
    return draw(f"{len(run.arrays)} arrays, geometric means", means)


def of_array(name: str, m: Measured, entry: dict[str, Any]) -> Any:
    """Return the figure of one array."""
    dtype = entry["dtype"]
    kind = np.dtype(dtype).name if isinstance(dtype, str) else "struct"
    size = f"{m.nbytes / 2**20:.1f} MiB" if m.nbytes >= 2**20 else f"{m.nbytes / 2**10:.0f} KiB"
    return draw(f"{name}: {entry['what'].rstrip('.')} ({kind}, {size})", m.frame_points())


def style(name: str) -> dict[str, Any]:
    """Return how a point looks: Blosc2's codec is its colour, the filter its shape."""
    if name in frames.PRESETS:
        return {"color": ORANGE, "marker": "D", "markersize": 6, "zorder": 4}
    if name == frames.DEFAULT:
        hollow = {"markerfacecolor": "none", "markeredgecolor": "black"}
        return {"marker": "s", "markersize": 8, "zorder": 3, **hollow}
    codec, level, filter_ = name.split("-")
    look = {"color": COLOURS[codec], "marker": MARKERS[filter_], "markersize": SIZES[int(level)]}
    return {**look, "markeredgewidth": 0, "zorder": 2}


def fronts(places: dict[str, Place]) -> list[list[Place]]:
    """Return the fronts of Blosc2 and of ours."""
    theirs = [place for name, place in places.items() if name not in frames.PRESETS]
    return [corners(theirs), corners([places[name] for name in frames.PRESETS])]


def corners(places: list[Place]) -> list[Place]:
    """Return the line around all places, from the right: beyond it, nothing has more of both."""
    front: list[Place] = []
    for x, y in sorted(places, reverse=True):
        if not front or y > front[-1][1]:
            if front:
                front.append((x, front[-1][1]))
            front.append((x, y))
    return front


def name_presets(axes: Any, places: dict[str, Place]) -> None:
    """Name our presets and Blosc2's default."""
    marks = {name: (*place, style(name)["markersize"]) for name, place in places.items()}
    names = {preset: Label(f'"{preset}"', ORANGE) for preset in frames.PRESETS}
    names[frames.DEFAULT] = Label("default", "black")
    place_labels(axes, marks, fronts(places), names)


def legend() -> list[Line2D]:
    """Return a mark for each thing that marks differ in."""

    def mark(text: str, **look: Any) -> Line2D:
        return Line2D([], [], linestyle="", label=text, **look)

    marks = [mark("ndbytes", **style("auto"))]
    marks += [mark(f"Blosc2 {codec}", **style(f"{codec}-5-shuffle")) for codec in frames.CODECS]
    marks += [mark("Blosc2's default", **style(frames.DEFAULT))]
    grey = {"color": GREY, "markeredgewidth": 0}
    marks += [mark(f, marker=MARKERS[f], markersize=SIZES[5], **grey) for f in frames.FILTERS]
    marks += [mark(f"level {n}", marker="o", markersize=SIZES[n], **grey) for n in frames.LEVELS]
    return marks
