"""Run NumPy's own tests with ndbytes in NumPy's place: `python tests/conformance/run.py`.

Exit status: 0 as expected, 1 not as expected, 2 could not run.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from harness import differences, expected

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected.toml"
DIFFERENCES = HERE.parent.parent / "docs" / "spec" / "differences.md"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--self",
        dest="package",
        action="store_const",
        const="numpy",
        default="ndbytes",
        help="put NumPy's own functions in place: shows what fails on stock NumPy here",
    )
    what.add_argument(
        "--write-differences",
        action="store_true",
        help="rewrite the table in docs/spec/differences.md, run nothing",
    )
    what.add_argument(
        "--check-differences",
        action="store_true",
        help="say whether that table is up to date, run nothing",
    )
    parser.add_argument("--only", metavar="EXPRESSION", help="as pytest's -k: run some tests")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for the whole run")
    parser.add_argument("--verbose", action="store_true", help="let pytest print what it does")
    return parser.parse_args()


def keep_differences(entries: list[expected.Entry], write: bool) -> int:
    """Write the table of the specification, or say whether it is stale."""
    text, fresh = differences.with_table(DIFFERENCES, entries)
    if text == fresh:
        print(f"{DIFFERENCES} is up to date")
    elif write:
        DIFFERENCES.write_text(fresh, encoding="utf-8")
        print(f"{DIFFERENCES} rewritten")
    else:
        print(f"{DIFFERENCES} is stale: run {Path(__file__).name} --write-differences")
        return 1
    return 0


def run_tests(options: argparse.Namespace, entries: list[expected.Entry]) -> int:
    """Run, judge, print."""
    import numpy as np
    from harness import judgement, report, session

    package = importlib.import_module(options.package)
    if options.package == "numpy":
        # The list is about ndbytes; stock NumPy is expected to pass its own tests.
        entries, title = [], f"numpy {np.__version__} with NumPy's own functions"
    else:
        entries = [entry for entry in entries if entry.holds_for(np.__version__)]
        title = f"numpy {np.__version__} with {options.package} {package.__version__}"
    record = session.run(options.package, options.only, options.timeout, options.verbose)
    verdict = judgement.judge(record.outcomes, entries, whole_run=options.only is None)
    report.show(verdict, record, title)
    return 1 if verdict.failures else 0


def main() -> int:
    """Do what the command line asks."""
    options = arguments()
    try:
        entries = expected.read(EXPECTED)
        if options.write_differences or options.check_differences:
            return keep_differences(entries, options.write_differences)
        return run_tests(options, entries)
    except Exception as error:  # whatever stops the run, it is not the verdict "1"
        print(f"run.py: {type(error).__name__}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
