#!/usr/bin/env bash
# Installs a cargo subcommand into .tools, when that version is not there yet.
#
#     tools/cargo_tool.sh NAME VERSION
set -euo pipefail

name=$1 version=$2
if [[ ! -x .tools/bin/$name ]] || ! grep -q "^\"$name $version " .tools/.crates.toml 2>/dev/null; then
    echo "installing $name $version into .tools: built from source, this takes some minutes"
    cargo install "$name" --version "=$version" --locked --root .tools
fi
