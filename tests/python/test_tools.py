"""The test runner of `make test`: a suite that lies about its result would hide every other."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).parents[2] / "tools" / "run_tests.py"


@pytest.fixture(scope="module")
def runner():
    spec = importlib.util.spec_from_file_location("run_tests", RUNNER)
    module = importlib.util.module_from_spec(spec)
    # dataclasses looks its module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize(
    ("form", "line", "counts"),
    [
        (
            "cargo",
            "test result: ok. 14 passed; 0 failed; 2 ignored; 0 measured; 1 filtered out; "
            "finished in 0.00s",
            (14, 0, 2),
        ),
        (
            "cargo",
            "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; "
            "finished in 1.20s",
            (3, 1, 0),
        ),
        ("cargo", "5 passed in 0.02s", None),
        ("pytest", "5 passed in 0.02s", (5, 0, 0)),
        (
            "pytest",
            "1 failed, 5 passed, 2 skipped, 1 xfailed, 3 warnings, 2 errors in 61.20s (0:01:01)",
            (5, 3, 3),
        ),
        ("pytest", "======= 5 passed, 1 error in 0.02s =======", (5, 1, 0)),
        ("pytest", "\x1b[32m\x1b[1m5 passed\x1b[0m\x1b[32m in 0.02s\x1b[0m", (5, 0, 0)),
        ("pytest", "no tests ran in 0.01s", (0, 0, 0)),
        ("pytest", "asserted that 5 passed in 3 tries", None),
        ("plain", "512 passed, 0 failed, 9 skipped", (512, 0, 9)),
        ("plain", "conformance: 512 passed, 1 failed", (512, 1, 0)),
        ("plain", "the 5 passed, 1 failed of yesterday", None),
        ("plain", "5 passed in 0.02s", None),
        ("plain", "", None),
    ],
)
def test_closing_lines_are_counted_and_others_are_not(runner, form, line, counts):
    count = runner.parse(line + "\n", form)
    assert count == (None if counts is None else runner.Count(*counts))


def test_cargo_closes_each_binary_and_pytest_closes_once(runner, capsys):
    result = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"
    code = f"print({result!r}); print({result!r})"
    assert runner.run(fake(runner, "cargo", code)).count == runner.Count(4)
    code = "print('9 passed in 0.10s'); print('2 passed in 0.20s')"
    assert runner.run(fake(runner, "pytest", code)).count == runner.Count(2)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("print('3 passed, 0 failed')", None),
        ("print('3 passed, 1 failed')", "1 failed"),
        ("print('3 passed, 0 failed'); raise SystemExit(4)", "exit status 4"),
        ("print('0 passed, 0 failed, 8 skipped')", "ran no test"),
        ("print('all is well')", "ran no test"),
    ],
)
def test_a_part_fails_by_status_by_count_and_by_running_nothing(runner, capsys, code, problem):
    outcome = runner.run(fake(runner, "plain", code))
    assert outcome.problem() == problem
    assert runner.report([outcome], []) is (problem is None)
    passed = 3 if "3 passed" in code else 0
    failed = 0 if problem is None else 1
    skipped = 8 if "8 skipped" in code else 0
    assert capsys.readouterr().out.endswith(
        f"\n{passed} passed, {failed} failed, {skipped} skipped\n"
    )


def test_a_part_that_cannot_start_fails(runner, capsys):
    outcome = runner.run(runner.Part("fake", "plain", ["/no/such/program"]))
    assert outcome.problem() == "exit status 127"


def test_counts_add_up_over_the_parts(runner, capsys):
    outcomes = [
        runner.run(fake(runner, form, f"print('{line}')"))
        for form, line in [
            ("plain", "3 passed, 0 failed, 1 skipped"),
            ("pytest", "4 passed in 0.10s"),
        ]
    ]
    absent = [runner.Part("three", "plain", [], ".venv-none")]
    assert absent[0].missing()
    assert runner.report(outcomes, absent)
    out = capsys.readouterr().out
    assert "three  not run: .venv-none was not made\n" in out
    assert out.endswith("\n7 passed, 0 failed, 1 skipped\n")


def test_nothing_run_is_no_success(runner, capsys):
    assert not runner.report([], [runner.Part("only", "plain", [], ".venv-none")])


def test_an_unknown_part_is_refused():
    done = subprocess.run(
        [sys.executable, str(RUNNER), "nonsense"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no part 'nonsense'" in done.stderr


def fake(runner, form, code):
    return runner.Part("fake", form, [sys.executable, "-c", code])
