"""Run every part of the test suite, stream its output and add up what the parts counted.

    python tools/run_tests.py [PART ...]

Each part is one command whose closing lines say how many tests it ran. A part fails when its
command does, and also when it ran no test at all: a suite that finds nothing proves nothing.

Two parts run at a time (JOBS=1: one), since much of each is waiting. Their output is not mixed:
that of the first is shown as it comes, that of the other once the first has ended.
"""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Count:
    """What was counted in one part, or in all."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass
class Part:
    """A command, the form of its closing line, and the virtual environment it needs, if any.

    One that may skip needs what not every machine has, and says so.
    """

    name: str
    form: str
    command: list[str]
    venv: str | None = None
    may_skip: bool = False

    def argv(self) -> list[str]:
        """Return the command, run by the environment's Python if there is one."""
        if self.venv is None:
            return self.command
        return [str(ROOT / self.venv / "bin" / "python"), "-u", *self.command]

    def missing(self) -> bool:
        """Tell whether the environment was not made (tools/venv.sh has said why)."""
        return self.venv is not None and not (ROOT / self.venv / "bin" / "python").exists()


@dataclass
class Outcome:
    """How a part ended."""

    part: Part
    status: int
    count: Count = field(default_factory=Count)
    seconds: float = 0.0

    def problem(self) -> str | None:
        """Say why the part does not count as passed, or return None."""
        if self.status != 0:
            return f"exit status {self.status}"
        if self.count.failed:
            return f"{self.count.failed} failed"
        if self.count.passed == 0 and not (self.part.may_skip and self.count.skipped):
            return "ran no test"
        return None

    def total(self) -> Count:
        """Return the counts; a part that fails without a failed test counts as one."""
        if self.problem() is not None and self.count.failed == 0:
            return self.count + Count(failed=1)
        return self.count


def say(text: str) -> None:
    """Show text at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def run(part: Part, show: Callable[[str], None] = say) -> Outcome:
    """Run a part, showing its command and its output line by line."""
    show(f"\n== {part.name}: {' '.join(part.command)}\n")
    begin = time.monotonic()
    outcome = Outcome(part, 0)
    try:
        process = subprocess.Popen(
            part.argv(),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        show(f"cannot run {part.argv()[0]}: {error.strerror}\n")
        outcome.status = 127
        return outcome
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            show(line)
            if (count := parse(line, part.form)) is not None:
                # cargo closes each test binary; the others close once, whatever a test printed.
                outcome.count = outcome.count + count if part.form == "cargo" else count
    outcome.status = process.returncode
    outcome.seconds = time.monotonic() - begin
    return outcome


def parse(line: str, form: str) -> Count | None:
    """Return what a closing line of that form counts, or None for any other line."""
    line = ANSI.sub("", line).strip()
    if form == "pytest":
        if not PYTEST.fullmatch(line.strip("= ")):
            return None
        words = {word: int(number) for number, word in PYTEST_ITEM.findall(line)}
        return Count(
            words.get("passed", 0),
            words.get("failed", 0) + words.get("error", 0) + words.get("errors", 0),
            words.get("skipped", 0) + words.get("xfailed", 0),
        )
    if form == "vitest":
        if not VITEST.fullmatch(line):
            return None
        words = {word: int(number) for number, word in PYTEST_ITEM.findall(line)}
        return Count(words.get("passed", 0), words.get("failed", 0), words.get("skipped", 0))
    found = (CARGO if form == "cargo" else PLAIN).fullmatch(line)
    if found is None:
        return None
    passed, failed, skipped = found.groups()
    return Count(int(passed), int(failed), int(skipped or 0))


def report(outcomes: list[Outcome], absent: list[Part]) -> bool:
    """Print a line for each part and the closing line; return whether all is well."""
    width = max((len(p.name) for p in [o.part for o in outcomes] + absent), default=0)
    print("\n== parts", flush=True)
    for outcome in outcomes:
        problem = outcome.problem()
        note = f"   FAILED: {problem}" if problem else ""
        print(f"{outcome.part.name:{width}}  {outcome.count}  ({outcome.seconds:.0f} s){note}")
    for part in absent:
        print(f"{part.name:{width}}  not run: {part.venv} was not made")
    print(sum((outcome.total() for outcome in outcomes), Count()), flush=True)
    return bool(outcomes) and all(outcome.problem() is None for outcome in outcomes)


def main(names: list[str]) -> int:
    """Run the named parts, or all of them."""
    known = {part.name for part in PARTS}
    if unknown := [name for name in names if name not in known]:
        print(f"no part {unknown[0]!r}; there are: {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    chosen = [part for part in PARTS if not names or part.name in names]
    absent = [part for part in chosen if part.missing()]
    outcomes = []
    pool = ThreadPoolExecutor(max(1, int(os.environ.get("JOBS") or 2)))
    try:
        running = []
        for part in chosen:
            if part not in absent:
                lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
                outcome = pool.submit(run, part, lines.put)
                outcome.add_done_callback(lambda _, lines=lines: lines.put(None))
                running.append((lines, outcome))
        for lines, outcome in running:
            for line in iter(lines.get, None):
                say(line)
            outcomes.append(outcome.result())
    finally:
        # Whoever ends it wants no more parts.
        pool.shutdown(cancel_futures=True)
    return 0 if report(outcomes, absent) else 1


# ndbytes-py has no Rust tests and cannot link as a program: Python's symbols come from the
# interpreter that loads it. The pytest parts test it.
WORKSPACE = ["--workspace", "--exclude=ndbytes-py", "--all-features"]
PROFILE = os.environ.get("PROFILE", "dev")
CARGO_TEST = ["cargo", "test", "--no-fail-fast", "--profile", PROFILE, *WORKSPACE]
RUST = [*CARGO_TEST, "--lib", "--bins", "--tests", "--examples"]
PYTEST_RUN = ["-m", "pytest", "-q", "tests/python"]
CONFORMANCE = ["tests/conformance/run.py"]

# Neighbours run at the same time: the longest first, so that none is left alone at the end.
PARTS = [
    Part("python", "pytest", PYTEST_RUN, ".venv"),
    Part("python-numpy126", "pytest", PYTEST_RUN, ".venv-np126"),
    Part("rust", "cargo", RUST),
    Part("network", "pytest", ["-m", "pytest", "-q", "tests/network"], ".venv"),
    Part("readers", "pytest", ["-m", "pytest", "-q", "tests/readers"], ".venv-readers"),
    Part("rust-docs", "cargo", [*CARGO_TEST, "--doc"]),
    Part("page-units", "vitest", ["tools/page.sh", "units"]),
    Part("page", "pytest", ["-m", "pytest", "-q", "tests/page"], ".venv-page", may_skip=True),
    Part("conformance", "plain", CONFORMANCE, ".venv"),
    Part("conformance-numpy126", "plain", CONFORMANCE, ".venv-np126"),
]

ANSI = re.compile(r"\x1b\[[0-9;]*m")
CARGO = re.compile(
    r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored; "
    r"\d+ measured; \d+ filtered out(?:; finished in .*)?"
)
PLAIN = re.compile(r"(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?")
PYTEST_ITEM = re.compile(
    r"(\d+) (passed|failed|skipped|errors?|xfailed|xpassed|deselected|warnings?)"
)
PYTEST = re.compile(
    rf"(?:{PYTEST_ITEM.pattern}(?:, )?)+ in [\d.]+s(?: \([\d:]+\))?|no tests ran in .*"
)
VITEST = re.compile(rf"Tests +(?:{PYTEST_ITEM.pattern}(?: \| )?)+ \(\d+\)")

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
