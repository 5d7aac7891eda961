"""The manual: what it shows is run.

Every block of Python in the README and under docs/, and every block of shell commands, unless the
line before it is a comment `<!-- not run: why -->`. The blocks of one page run in order in one
temporary folder, in which `data` is the folder of the checkout; those of Python share their names.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / "target" / "release" / "ndbytes"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

BLOCK = re.compile(
    r"(?P<mark><!-- not run: .+? -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:|#)([^)#\s]+)")
FENCED = re.compile(r"^```.*?^```$", re.M | re.S)


def blocks(page, language):
    """Return text and line number of the page's blocks that are to be run."""
    text = page.read_text(encoding="utf-8")
    return [
        (found["text"], text.count("\n", 0, found.start("text")))
        for found in BLOCK.finditer(text)
        if found["language"] == language and not found["mark"]
    ]


def pages_with(language):
    pages = [page for page in PAGES if blocks(page, language)]
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    # The command as if it were installed.
    monkeypatch.setenv("PATH", os.pathsep.join([str(COMMAND.parent), os.environ["PATH"]]))
    return tmp_path


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_in_the_manual_runs(page, folder):
    if page.name in {"links.md", "remote.md"} and not COMMAND.exists():
        pytest.skip("the command is not built; `make cli` builds it")
    names = {"__name__": "__main__"}
    for text, line in blocks(page, "python"):
        # Empty lines before, so that a traceback names the page's own line.
        exec(compile("\n" * line + text, page, "exec"), names)


@pytest.mark.parametrize("page", pages_with("sh"))
def test_commands_in_the_manual_run(page, folder):
    if not COMMAND.exists():
        pytest.skip("the command is not built; `make cli` builds it")
    for text, line in blocks(page, "sh"):
        if targets(text):
            continue
        ended = subprocess.run(
            [shutil.which("bash") or "sh", "-euc", text],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ended.returncode == 0, f"{page}:{line + 1}: {ended.stdout}{ended.stderr}"


def targets(text):
    """Return the targets that a block makes; such a block would run this test again."""
    return re.findall(r"^make ([\w-]+)", text, re.M)


def test_targets_in_the_manual_exist():
    known = set(re.findall(r"^([\w-]+):(?!=)", (ROOT / "Makefile").read_text(), re.M))
    named = {name for page in PAGES for text, _ in blocks(page, "sh") for name in targets(text)}
    assert {"demo", "test"} <= named <= known


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES]
)
def test_links_in_the_manual_lead_somewhere(page):
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert not missing
