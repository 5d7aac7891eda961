"""What was measured, as points of ratio and speed, and how they compare."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
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


@dataclass
class Measured:
    """What was taken of one array, by way."""

    nbytes: int
    archives: dict[str, Taken]
    frames: dict[str, Taken]

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

    def nearest(self, theirs: Point) -> tuple[str, Point]:
        """Return the preset that beats a point of Blosc2, or comes nearest, and the quotients.

        A point is beaten by one preset that is at least as good in all three.
        """
        quotients = {name: point.over(theirs) for name, point in self.presets().items()}
        name = max(quotients, key=lambda name: quotients[name].least())
        return name, quotients[name]

    def unbeaten(self) -> Iterator[tuple[str, Point, str, Point]]:
        """Yield the points of Blosc2 that no preset beats, with the nearest and its quotients."""
        for name, theirs in self.blosc2().items():
            preset, quotients = self.nearest(theirs)
            if quotients.least() < 1:
                yield name, theirs, preset, quotients


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
            halves = ({w: Taken(**t) for w, t in found[h].items()} for h in ("archives", "frames"))
            run.arrays[name] = Measured(found["nbytes"], *halves)
        return run


def mean(values: Iterable[float]) -> float:
    """Return the geometric mean."""
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))


def mean_point(points: Iterable[Point]) -> Point:
    return Point(*map(mean, zip(*((p.ratio, p.pack, p.unpack) for p in points), strict=True)))
