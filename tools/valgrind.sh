#!/usr/bin/env bash
# Sees to it that there is a valgrind: installs Debian's package where that can be done.
set -euo pipefail

if command -v valgrind >/dev/null; then
    exit 0
fi
root=()
if [[ $(id -u) != 0 ]]; then
    # Never asks for a password: a benchmark must not wait for one.
    root=(sudo -n)
fi
if command -v apt-get >/dev/null && { [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null; }; then
    echo "there is no valgrind: installing the package" >&2
    { "${root[@]}" apt-get update && "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y valgrind; } >&2 || true
fi
if ! command -v valgrind >/dev/null; then
    echo "error: instructions are counted by valgrind, which is missing. Install it (Debian, Ubuntu: apt-get install valgrind) and run make again." >&2
    exit 1
fi
