"""A locale with a decimal comma, for the tests that need one.

NumPy tests that text files do not depend on the locale, and skips those tests where no French or
Finnish locale is installed, which is to say in most containers. `localedef` compiles one into a
folder of ours without touching the system.
"""

from __future__ import annotations

import locale
import shutil
import subprocess
from pathlib import Path

KNOWN_TO_NUMPY = ("fr_FR", "fr_FR.UTF-8", "fi_FI", "fi_FI.UTF-8")


def environment(folder: Path) -> dict[str, str]:
    """Return what to set so that there is such a locale; nothing if there is, or cannot be."""
    compiler = shutil.which("localedef")
    if compiler is None or _installed():
        return {}
    folder.mkdir()
    command = [compiler, "-i", "fr_FR", "-f", "UTF-8", str(folder / "fr_FR.UTF-8")]
    done = subprocess.run(command, capture_output=True, check=False)
    return {} if done.returncode else {"LOCPATH": str(folder)}


def _installed() -> bool:
    before = locale.setlocale(locale.LC_NUMERIC)
    try:
        for name in KNOWN_TO_NUMPY:
            try:
                locale.setlocale(locale.LC_NUMERIC, name)
            except locale.Error:
                continue
            return True
        return False
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)
