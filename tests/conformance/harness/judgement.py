"""Hold the outcomes against the list of expected failures.

A failure that nobody listed is wrong, and so is a listed test that passes: the list would go on
excusing what is no longer so. A test that passed without calling ndbytes proves nothing and counts
as skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .expected import Entry

LEAST_PERCENT = 95.0
IDLE = "calls nothing that ndbytes replaces"


@dataclass(frozen=True)
class Outcome:
    """What happened to one selected test."""

    test: str
    outcome: str
    detail: str = ""
    touched: Sequence[str] = ()
    seconds: float = 0.0


@dataclass
class Verdict:
    """The outcomes, sorted by what they mean."""

    whole_run: bool
    passed: list[Outcome] = field(default_factory=list)
    skipped: list[Outcome] = field(default_factory=list)
    pickle: list[Outcome] = field(default_factory=list)
    other: list[Outcome] = field(default_factory=list)
    unexpected: list[Outcome] = field(default_factory=list)
    stale: list[tuple[Outcome, Entry]] = field(default_factory=list)
    unmatched: list[Entry] = field(default_factory=list)

    @property
    def expected(self) -> int:
        """How many tests failed as the list says."""
        return len(self.pickle) + len(self.other)

    @property
    def selected(self) -> int:
        """How many tests were chosen, whatever became of them."""
        lists = (self.passed, self.skipped, self.unexpected, self.stale)
        return self.expected + sum(map(len, lists))

    @property
    def percent(self) -> float:
        """Of the tests that ran and do not fail for pickle's sake, how many pass."""
        passed = len(self.passed) + len(self.stale)
        ran = passed + len(self.other) + len(self.unexpected)
        return 100.0 * passed / ran if ran else 0.0

    @property
    def too_few(self) -> bool:
        """Whether the list has grown beyond what may still be called NumPy's behaviour."""
        return self.whole_run and self.percent < LEAST_PERCENT

    @property
    def failures(self) -> int:
        """How many things are not as they should be."""
        wrong = (self.unexpected, self.stale, self.unmatched)
        return sum(map(len, wrong)) + self.too_few


def judge(outcomes: Iterable[Outcome], entries: list[Entry], whole_run: bool) -> Verdict:
    """Sort the outcomes; `entries` are those that hold for the NumPy that was run."""
    verdict = Verdict(whole_run)
    used: set[Entry] = set()
    for outcome in outcomes:
        covering = [entry for entry in entries if entry.covers(outcome.test)]
        used.update(covering)
        # The entry that names the parameter set speaks before the one that names the function.
        entry = max(covering, key=lambda e: len(e.name), default=None)
        match outcome.outcome:
            case "passed" if entry:
                verdict.stale.append((outcome, entry))
            case "passed" if outcome.touched:
                verdict.passed.append(outcome)
            case "passed":
                verdict.skipped.append(Outcome(outcome.test, "skipped", IDLE))
            case "skipped":
                verdict.skipped.append(outcome)
            case _ if entry is None:
                verdict.unexpected.append(outcome)
            case _ if entry.pickle:
                verdict.pickle.append(outcome)
            case _:
                verdict.other.append(outcome)
    if whole_run:
        verdict.unmatched = [entry for entry in entries if entry not in used]
    return verdict
