"""Ways to pack an array and unpack it again, which take turns while they are timed."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Call = Callable[[], Any]
TURNS = 9


@dataclass(frozen=True)
class Way:
    """An array to something, bytes or a file, and back."""

    pack: Callable[[Array], Any]
    unpack: Callable[[Any], Array]
    size: Callable[[Any], int] = len
    # The way whose product is unpacked; then `pack` is not called.
    product_of: str | None = None


@dataclass
class Taken:
    """The bytes that came out, and the seconds of each call that was timed."""

    size: int
    pack: list[float] = field(default_factory=list)
    unpack: list[float] = field(default_factory=list)


def measure(array: Array, ways: dict[str, Way], seconds: float) -> dict[str, Taken]:
    """Time the ways, packing first and then unpacking, for about `seconds` each and no longer.

    What comes back is compared with the array before a time counts. A way that takes longer than
    `seconds` is called once, and this is its time; the others have up to nine turns, and the call
    before each, which is not timed, makes the memory warm.
    """
    packed: dict[str, Any] = {}
    packs: dict[str, Call] = {}
    unpacks: dict[str, Call] = {}
    first_pack: dict[str, float] = {}
    first_unpack: dict[str, float] = {}
    for name, way in ways.items():
        if way.product_of is None:
            packs[name] = lambda way=way: way.pack(array)
            begin = time.perf_counter()
            packed[name] = packs[name]()
            first_pack[name] = time.perf_counter() - begin
        else:
            packed[name] = packed[way.product_of]
        unpacks[name] = lambda way=way, name=name: way.unpack(packed[name])
        begin = time.perf_counter()
        again = unpacks[name]()
        first_unpack[name] = time.perf_counter() - begin
        if not same(again, array):
            raise SystemExit(f"{name} gives something else back")
        del again
    pack = take_turns(packs, first_pack, seconds)
    unpack = take_turns(unpacks, first_unpack, seconds)
    return {
        name: Taken(way.size(packed[name]), pack.get(name, []), unpack[name])
        for name, way in ways.items()
    }


def take_turns(
    calls: dict[str, Call], first: dict[str, float], seconds: float
) -> dict[str, list[float]]:
    """Return the times of each call, whose `first` time is known; see `measure`."""
    times = {name: [first[name]] if first[name] > seconds else [] for name in calls}
    spent = dict(first)
    gc.collect()
    gc.disable()
    try:
        for turn in range(TURNS):
            names = list(calls)
            start = turn * len(names) // TURNS
            # Who comes after whom stays the same, but not who is first.
            for name in names[start:] + names[:start]:
                if times[name] and spent[name] > seconds:
                    continue
                warm = timed(calls[name])
                # One short call would show the clock.
                count = max(1, min(256, int(SHORT / warm)))
                taken = timed(calls[name], count)
                times[name].append(taken)
                spent[name] += warm + taken * count
    finally:
        gc.enable()
    return times


def timed(call: Call, count: int = 1) -> float:
    """Return the seconds that one of so many calls took; freeing the last result is not in them."""
    begin = time.perf_counter()
    for _ in range(count - 1):
        call()
    result = call()
    end = time.perf_counter()
    # Or the next call would find no memory that is warm.
    del result
    return (end - begin) / count


def same(one: Array, other: Array) -> bool:
    """Whether two arrays are the same to the bit, NaN and all."""
    return (
        one.dtype == other.dtype
        and one.shape == other.shape
        and np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()
    )


SHORT = 2e-3
