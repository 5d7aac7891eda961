"""Timing two or more ways of one task side by side."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

Way = Callable[[], Any]


@dataclass(frozen=True)
class Timing:
    """Seconds of one way."""

    median: float
    low: float
    high: float
    # A quarter of the times are below, and a quarter above.
    lower: float
    upper: float

    @classmethod
    def of(cls, times: list[float]) -> Timing:
        """What these times come to; there are at least two."""
        lower, median, upper = statistics.quantiles(times, method="inclusive")
        return cls(median, min(times), max(times), lower, upper)

    def scaled(self, by: float) -> Timing:
        """The same of a part of what was timed."""
        return Timing(*(by * seconds for seconds in astuple(self)))


def interleaved(ways: dict[str, Way], repeat: int, seconds: float) -> dict[str, Timing]:
    """Time the ways in turn, so that a slow moment of the machine meets all of them.

    Each turn is two calls, of which the second is timed: on a virtual machine, memory that lay free
    while another way had its turn may have gone back to the host, and to get it again costs more
    than the task. So all are timed warm. Repetitions stop after `repeat` rounds, or, after three,
    when `seconds` have passed.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    start = time.perf_counter()
    gc.collect()
    gc.disable()
    try:
        for i in range(repeat):
            names = list(ways)
            # Who is first meets what the last one left behind, such as pages to be written.
            for name in names[i % len(names) :] + names[: i % len(names)]:
                way = ways[name]
                way()
                begin = time.perf_counter()
                result = way()
                taken[name].append(time.perf_counter() - begin)
                # Freeing is not part of the task.
                del result
            if i >= 2 and time.perf_counter() - start > seconds:
                break
    finally:
        gc.enable()
    return {name: Timing.of(t) for name, t in taken.items()}
