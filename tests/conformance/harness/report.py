"""Print the verdict, for a reader first and, in its last line, for a machine."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from .judgement import LEAST_PERCENT, Outcome, Verdict
from .names import without_parameters
from .session import Record

DETAIL_LINES = 30


def show(verdict: Verdict, record: Record, title: str) -> None:
    """Print what is wrong, what did not run, and the sums."""
    for detail, tests in _by_detail(verdict.unexpected).items():
        print(f"\n=== not listed, but failed: {', '.join(tests)}")
        print("\n".join(detail.splitlines()[-DETAIL_LINES:]))
    for outcome, entry in verdict.stale:
        print(f"\n=== stale entry {entry.name}: {outcome.test} passes")
    for entry in verdict.unmatched:
        print(f"\n=== stale entry {entry.name}: no such test was selected")

    print(f"\n{title}")
    for test, reason in record.left_out:
        print(f"  left out: {test}: {reason}")
    for reason, tests in _by_detail(verdict.skipped).items():
        functions = Counter(without_parameters(test) for test in tests)
        names = (name + (f" x{n}" if n > 1 else "") for name, n in functions.items())
        print(f"  skipped, {reason}: {', '.join(names)}")
    if record.missing:
        print(f"  not offered, so NumPy's own: {', '.join(record.missing)}")
    print(
        f"selected {verdict.selected}, passed {len(verdict.passed)}, "
        f"expected failures {verdict.expected} "
        f"(pickle {len(verdict.pickle)}, other {len(verdict.other)}), "
        f"unexpected failures {len(verdict.unexpected)}, skipped {len(verdict.skipped)}, "
        f"stale entries {len(verdict.stale) + len(verdict.unmatched)}"
    )
    print(
        f"of the tests that ran and do not need pickle {verdict.percent:.1f} % pass "
        f"(at least {LEAST_PERCENT:g} %{': TOO FEW' if verdict.too_few else ''})"
    )
    skipped = len(verdict.skipped) + verdict.expected
    print(f"{len(verdict.passed)} passed, {verdict.failures} failed, {skipped} skipped")


def _by_detail(outcomes: Iterable[Outcome]) -> dict[str, list[str]]:
    groups = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.detail].append(outcome.test)
    return groups
