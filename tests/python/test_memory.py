"""The most memory that each path takes stays below its limit, as measured by the bench."""

import subprocess
import sys
from pathlib import Path

import pytest

MEMORY = Path(__file__).parents[2] / "bench" / "memory.py"


@pytest.mark.timeout(300)
def test_no_path_takes_more_than_its_limit():
    # Larger than the 64 MiB that saving may take: a copy of the array would be noticed.
    command = [sys.executable, str(MEMORY), "--check", "--size", "96"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("checked") >= 15
