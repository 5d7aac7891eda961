"""What `/openapi.json` says is what the server does: schemathesis tries what it describes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_http import COMMAND, serving

import ndbytes as nb

pytestmark = pytest.mark.skipif(
    not COMMAND.exists(), reason="the command is not built; `make cli` builds it"
)

# tus answers 412 to a client that does not say its version, and its parts have a type of their own.
CONFIG = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 415, 422]
missing_required_header.expected-statuses = [400, 412, 415]
"""
HOOKS = """
import schemathesis


@schemathesis.serializer("application/offset+octet-stream", "application/x-ndbytes-stream")
def part(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()
"""


@pytest.mark.parametrize("args", [[], ["--write", "--delete"]])
def test_the_server_does_what_its_document_says(tmp_path, args):
    folder = tmp_path / "served"
    (folder / "sub").mkdir(parents=True)
    nb.save(folder / "sub" / "a.npy", np.arange(600.0).reshape(20, 30))
    nb.savez_compressed(folder / "sub" / "a.npz", x=np.arange(5))
    report = tmp_path / "report"
    with serving(folder, *args) as root:
        check(root, report)


def check(root, report):
    hooks = report.with_suffix(".py")
    hooks.write_text(HOOKS)
    config = report.with_suffix(".toml")
    config.write_text(CONFIG)
    tool = str(Path(sys.executable).parent / "schemathesis")
    command = [tool, "--config-file", str(config), "run", f"{root}openapi.json"]
    command += ["--max-examples", "15", "--seed", "1", "--generation-database", "none"]
    # Good requests are refused too: for a version that is not there, or a name with a slash. And
    # OpenAPI has no words for WebDAV's methods, which `Allow` names.
    excluded = "positive_data_acceptance,allow_header_conformance"
    command += ["--exclude-checks", excluded, "--phases"]
    command += ["examples,coverage,fuzzing", "--report", "ndjson", "--report-dir", str(report)]
    done = subprocess.run(
        command,
        cwd=report.parent,
        env={**os.environ, "SCHEMATHESIS_HOOKS": hooks.stem, "PYTHONPATH": str(report.parent)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    events = [path.read_text() for path in report.iterdir()]
    assert sum(len(text.splitlines()) for text in events) > 10, json.dumps(events)[:1000]
