"""How the benchmark on the corpus times: a wrong answer has no time, and a slow way one call."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

TURNS = Path(__file__).parents[2] / "bench" / "corpus" / "turns.py"
ARRAY = np.arange(10.0)


@pytest.fixture(scope="module")
def turns():
    spec = importlib.util.spec_from_file_location("turns", TURNS)
    module = importlib.util.module_from_spec(spec)
    # dataclasses looks its module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_what_comes_back_wrong_is_not_timed(turns):
    for wrong in (ARRAY + 1, ARRAY.astype("f4"), ARRAY[:-1], -ARRAY * 0):
        way = turns.Way(lambda a: a.tobytes(), lambda data, wrong=wrong: wrong)
        with pytest.raises(SystemExit, match="mine gives something else back"):
            turns.measure(ARRAY, {"mine": way}, 0.1)


def test_a_slow_way_is_called_once_and_a_quick_one_in_every_turn(turns, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(turns.time, "perf_counter", clock)
    # Enough for the first call of one second, and two in each turn.
    budget = 1.5 + 2 * turns.TURNS
    called = {"slow": 0, "quick": 0}

    def pack(name, seconds):
        def run(array):
            called[name] += 1
            clock.now += seconds
            return array.tobytes()

        return run

    def unpack(data):
        clock.now += 1
        return np.frombuffer(data)

    ways = {
        "slow": turns.Way(pack("slow", budget + 1), unpack),
        "quick": turns.Way(pack("quick", 1), unpack),
    }
    taken = turns.measure(ARRAY, ways, budget)
    assert taken["slow"] == turns.Taken(ARRAY.nbytes, [budget + 1], [1] * turns.TURNS)
    assert taken["quick"] == turns.Taken(ARRAY.nbytes, [1] * turns.TURNS, [1] * turns.TURNS)
    # The first is checked, and each turn has a call that is not timed.
    assert called == {"slow": 1, "quick": 1 + 2 * turns.TURNS}


class Clock:
    """It goes on when it is told to."""

    now = 0

    def __call__(self):
        return self.now


def test_a_way_may_unpack_what_another_packed(turns):
    ways = {
        "one": turns.Way(lambda a: a.tobytes(), np.frombuffer),
        "other": turns.Way(lambda a: 1 / 0, np.frombuffer, product_of="one"),
    }
    taken = turns.measure(ARRAY, ways, 0.1)
    assert not taken["other"].pack
    assert taken["other"].unpack
