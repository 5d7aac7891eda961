#!/usr/bin/env bash
# Makes the virtual environment DIR and installs what REQUIREMENTS pins; does nothing when that is done.
#
#     tools/venv.sh DIR REQUIREMENTS [NEWEST]
#
# NEWEST (such as 3.12) says that the pins have no wheels for a newer Python. Such an environment
# is optional: without a Python old enough, this prints a note and makes nothing.
set -euo pipefail

dir=$1 requirements=$2 newest=${3:-}
oldest=3.11

# A name on PATH may be a shim for a version that is not installed, so each candidate is run.
fits() {
    "$1" - "$oldest" "${newest:-9.99}" <<'PY' 2>/dev/null
import sys
low, high = (tuple(map(int, v.split("."))) for v in sys.argv[1:])
sys.exit(not low <= sys.version_info[:2] <= high)
PY
}

find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if fits "$name"; then
            echo "$name"
            return
        fi
    done
    return 1
}

# Debian keeps venv and ensurepip in a package of their own.
have_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

install_venv_module() {
    local package
    package=$("$1" -c 'import sys; print("python{}.{}-venv".format(*sys.version_info))')
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        echo "$1 lacks the venv module: installing $package" >&2
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y "$package"; } >&2 || true
    fi
    if ! have_venv "$1"; then
        echo "error: $1 lacks the venv module. Install it (Debian, Ubuntu: apt-get install $package) and run make again." >&2
        exit 1
    fi
}

if cmp -s "$requirements" "$dir/requirements.txt" && "$dir/bin/python" -c pass 2>/dev/null; then
    exit 0
fi

if ! python=$(find_python); then
    if [[ -n $newest ]]; then
        echo "note: no Python between $oldest and $newest here, so $dir is not made and its tests are left out"
        # Left by an earlier run, perhaps with a Python that is gone: its tests would fail.
        rm -rf "$dir"
        exit 0
    fi
    echo "error: ndbytes needs Python $oldest or newer, and none of python3, python3.11 ... python3.14 is that" >&2
    exit 1
fi

have_venv "$python" || install_venv_module "$python"
echo "making $dir with $("$python" --version)"
"$python" -m venv --clear "$dir"
# Binary wheels only: building NumPy from source takes longer than all the tests.
"$dir/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$requirements"
# The stamp goes in last, so that an interrupted installation is done again.
cp "$requirements" "$dir/requirements.txt"
