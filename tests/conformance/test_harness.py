"""The harness itself: a judge that nothing judges would be believed too easily."""

from __future__ import annotations

import ast
import types

import numpy as np
import pytest
from harness import differences, expected, judgement, names, rewrite, selection, substitutes

SOURCE = selection.Source(
    places=(),
    runs=("TestIO::*", "test_one"),
    replaces={"np.save": "save", "format.magic": "format.magic", "memmap": "memmap"},
    methods=("tofile", "tobytes"),
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("np.save(f, a)", "__conformance__.get('save')(f, a)"),
        ("run(np.save)", "run(__conformance__.get('save'))"),
        ("format.magic(1, 0)", "__conformance__.get('format.magic')(1, 0)"),
        ("class A(memmap): pass", "class A(__conformance__.get('memmap')):\n    pass"),
        ("x().tofile(f, sep=s)", "__conformance__.method(x(), 'tofile')(f, sep=s)"),
        ("g(a.tobytes)", "g(__conformance__.method(a, 'tobytes'))"),
        ("np.save = f", "np.save = f"),
        ("np.savetxt(f, a)", "np.savetxt(f, a)"),
        ("a.np.save(f)", "a.np.save(f)"),
        ("from numpy import memmap", "from numpy import memmap"),
    ],
)
def test_rewrite(before: str, after: str) -> None:
    assert ast.unparse(rewrite.rewrite(before, SOURCE)) == after


def test_substitutes_fall_back_and_count() -> None:
    package = types.SimpleNamespace(save=print, format=types.SimpleNamespace(magic=len))
    found = substitutes.Substitutes(substitutes.offered_by(package))
    assert found.get("save") is print
    assert found.get("load") is np.load
    assert found.touched() == ["save"]
    assert "load" in found.missing
    found.forget()
    assert found.get("format.magic") is len
    assert found.touched() == ["format.magic"]


def test_methods_of_arrays_alone_are_replaced() -> None:
    package = types.SimpleNamespace(tobytes=lambda array, order="C": (array.shape, order))
    found = substitutes.Substitutes(substitutes.offered_by(package))
    assert found.method(np.zeros(3), "tobytes")("F") == ((3,), "F")
    assert found.method(memoryview(b"ab"), "tobytes")() == b"ab"
    assert found.method(np.uint8(7), "tobytes")() == b"\x07"


def test_selection() -> None:
    assert SOURCE.wants("TestIO::test_nan")
    assert SOURCE.wants("test_one")
    assert not SOURCE.wants("test_one_more")
    assert names.short_name("a/test_io.py::T::t[x/y]") == "test_io.py::T::t[x/y]"


def entry(name: str, **fields) -> expected.Entry:
    return expected.Entry(name, "because", **fields)


def outcome(test: str, what: str, touched=("save",)) -> judgement.Outcome:
    return judgement.Outcome(test, what, touched=touched)


def test_entries_hold_for_series() -> None:
    assert entry("t").holds_for("1.26.4")
    assert entry("t", numpy=("1.2",)).holds_for("1.26.4") is False
    assert entry("t", numpy=("1.26", "3")).holds_for("1.26.4")
    assert entry("t", numpy=("2",)).holds_for("2.4.6")


def test_judge() -> None:
    outcomes = [
        outcome("good", "passed"),
        outcome("idle", "passed", touched=()),
        outcome("bad", "failed"),
        outcome("known[1]", "failed"),
        outcome("known[2]", "passed"),
        outcome("object", "failed"),
        outcome("absent", "skipped"),
    ]
    entries = [entry("known"), entry("object", pickle=True), entry("absent"), entry("gone")]
    verdict = judgement.judge(outcomes, entries, whole_run=True)
    assert [o.test for o in verdict.passed] == ["good"]
    assert [o.test for o in verdict.skipped] == ["idle", "absent"]
    assert [o.test for o in verdict.unexpected] == ["bad"]
    assert [o.test for o in verdict.other] == ["known[1]"]
    assert [o.test for o in verdict.pickle] == ["object"]
    assert [o.test for o, _ in verdict.stale] == ["known[2]"]
    assert [e.name for e in verdict.unmatched] == ["gone"]
    assert verdict.selected == len(outcomes)
    assert verdict.percent == 50.0
    assert verdict.failures == 4
    part = judgement.judge(outcomes, entries, whole_run=False)
    assert part.failures == 2, "a part of the tests can judge neither the rest nor the percentage"


def test_judge_wants_enough_to_pass() -> None:
    outcomes = [outcome(f"t{n}", "failed" if n < 6 else "passed") for n in range(100)]
    entries = [entry(f"t{n}") for n in range(6)]
    assert judgement.judge(outcomes, entries, True).failures == 1
    assert judgement.judge(outcomes[1:], entries[1:], True).failures == 1
    assert judgement.judge(outcomes[2:], entries[2:], True).failures == 0
    assert judgement.judge([], [], True).failures == 1


@pytest.mark.parametrize(
    "text",
    [
        "[[tests]]",
        "[[test]]\nname = 't'",
        "[[test]]\nname = 't'\nreason = ''",
        "[[test]]\nname = 't'\nreason = 'r'\nwhy = 1",
        "[[test]]\nname = 't'\nreason = 'r'\nnumpy = '2'",
        "[[test]]\nname = 't'\nreason = 'r'\npickle = 'yes'",
    ],
)
def test_bad_lists_are_refused(tmp_path, text: str) -> None:
    path = tmp_path / "expected.toml"
    path.write_text(text)
    with pytest.raises(expected.BadList):
        expected.read(path)


def test_table(tmp_path) -> None:
    path = tmp_path / "differences.md"
    entries = [entry("t[a|b]", numpy=("1.26",), pickle=True), entry("s")]
    with pytest.raises(differences.NoPlace, match="does not exist"):
        differences.with_table(path, entries)
    path.write_text("text\n")
    with pytest.raises(differences.NoPlace, match="must have one"):
        differences.with_table(path, entries)
    path.write_text(f"above\n{differences.BEGIN}\nold\n{differences.END}\nbelow\n")
    _, fresh = differences.with_table(path, entries)
    assert fresh.splitlines() == [
        "above",
        differences.BEGIN,
        "| NumPy's test | NumPy | pickle | why it does not pass |",
        "|---|---|---|---|",
        "| `s` | all |  | because |",
        r"| `t[a\|b]` | 1.26 | yes | because |",
        differences.END,
        "below",
    ]
    path.write_text(fresh)
    assert differences.with_table(path, entries) == (fresh, fresh)
