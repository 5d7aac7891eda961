"""How a test is called here: by its file's name and its own, in whatever folder that lies."""

from __future__ import annotations

from pathlib import PurePosixPath


def short_name(node: str) -> str:
    """Return `test_io.py::TestSaveLoad::test_1D` for a pytest node of any folder and series."""
    path, _, test = node.partition("::")
    return f"{PurePosixPath(path).name}::{test}"


def without_parameters(test: str) -> str:
    """Return the test's name without the `[...]` that pytest adds per parameter set."""
    return test.partition("[")[0]
