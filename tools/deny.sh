#!/usr/bin/env bash
# Checks licences, bans and sources by deny.toml; and advisories, when their database can be reached.
set -euo pipefail

tools/cargo_tool.sh cargo-deny 0.20.2
export PATH="$PWD/.tools/bin:$PATH"

cargo deny check licenses bans sources

# A machine without a network must still be able to check the rest, so this alone may be left out.
if timeout 120 cargo deny fetch db; then
    cargo deny check advisories
else
    echo "note: the advisory database cannot be reached, so advisories were NOT checked"
fi
