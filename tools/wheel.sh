#!/usr/bin/env bash
# Builds the wheel once and installs that one file into every virtual environment named.
#
#     tools/wheel.sh VENV...
#
# The first one has maturin. An environment that was not made is passed over.
set -euo pipefail

wheels=target/wheels
# Always asked: cargo knows better than any stamp what is out of date, and is quick when nothing is.
rm -rf "$wheels"
"$1/bin/maturin" build --release --interpreter "$1/bin/python" --out "$wheels"

for venv in "$@"; do
    [[ -x $venv/bin/python ]] || continue
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --force-reinstall --no-deps "$wheels"/ndbytes-*.whl
    echo "installed in $venv: $("$venv/bin/python" -c 'import numpy, sys; print("Python", sys.version.split()[0] + ", NumPy", numpy.__version__)')"
done
