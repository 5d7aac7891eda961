"""What was measured, as points of ratio and speed, and how they compare."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import frames
from turns import Taken

LARGE = 8 << 20


@dataclass(frozen=True)
class Point:
    """The ratio, and MB/s of the array to pack and to unpack; the best time of each counts."""

    ratio: float
    pack: float
    unpack: float

    def over(self, other: Point) -> Point:
        """Return the quotients: above 1, `self` is better."""
        return Point(self.ratio / other.ratio, self.pack / other.pack, self.unpack / other.unpack)

    def least(self) -> float:
        return min(self.ratio, self.pack, self.unpack)


@dataclass(frozen=True)
class Near:
    """One of our ways, and its quotients over a point of Blosc2."""

    name: str
    over: Point

    def beats(self) -> bool:
        return self.over.least() >= 1


def nearest(ways: dict[str, Point], theirs: Point) -> Near:
    """Return the way that beats a point of Blosc2, or comes nearest."""
    found = (Near(name, point.over(theirs)) for name, point in ways.items())
    return max(found, key=lambda near: near.over.least())


@dataclass
class Measured:
    """What was taken of one array, by way."""

    nbytes: int
    archives: dict[str, Taken]
    frames: dict[str, Taken]
    # The points of Blosc2 that no preset beats, once more, with ours that are alike and took turns
    # with them.
    again: dict[str, Taken] = field(default_factory=dict)
    pipelines: dict[str, Taken] = field(default_factory=dict)

    def point(self, taken: Taken) -> Point:
        pack, unpack = (
            self.nbytes / min(times) / 1e6 if times else math.nan
            for times in (taken.pack, taken.unpack)
        )
        return Point(self.nbytes / taken.size, pack, unpack)

    def frame_points(self) -> dict[str, Point]:
        return {name: self.point(taken) for name, taken in self.frames.items()}

    def presets(self) -> dict[str, Point]:
        return {name: self.point(self.frames[name]) for name in frames.PRESETS}

    def blosc2(self) -> dict[str, Point]:
        own = {frames.PLAIN, *frames.PRESETS}
        return {name: p for name, p in self.frame_points().items() if name not in own}

    def unbeaten(self) -> Iterator[tuple[str, Point, Near]]:
        """Yield the points of Blosc2 that no preset beats, with the nearest.

        A point is beaten by one way that is at least as good in all three.
        """
        for name, theirs in self.blosc2().items():
            preset = nearest(self.presets(), theirs)
            if not preset.beats():
                yield name, theirs, preset

    def by_name(self, point: str) -> Near:
        """Return which of our pipelines beats a point that no preset beats, or comes nearest."""
        ours = {name: self.point(self.pipelines[name]) for name in frames.namesakes([point])}
        return nearest(ours, self.point(self.again[point]))


@dataclass
class Run:
    """All of it, with the facts that it was measured under."""

    facts: dict[str, Any]
    arrays: dict[str, Measured]

    def large(self) -> dict[str, Measured]:
        return {name: m for name, m in self.arrays.items() if m.nbytes >= LARGE}

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)) + "\n")

    @classmethod
    def read(cls, path: Path) -> Run:
        run = cls(**json.loads(path.read_text()))
        for name, found in run.arrays.items():
            parts = ("archives", "frames", "again", "pipelines")
            taken = ({w: Taken(**t) for w, t in found.get(part, {}).items()} for part in parts)
            run.arrays[name] = Measured(found["nbytes"], *taken)
        return run


def mean(values: Iterable[float]) -> float:
    """Return the geometric mean."""
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))


def mean_point(points: Iterable[Point]) -> Point:
    return Point(*map(mean, zip(*((p.ratio, p.pack, p.unpack) for p in points), strict=True)))
