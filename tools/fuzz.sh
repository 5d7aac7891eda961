#!/usr/bin/env bash
# Fuzzes every target in fuzz/fuzz_targets, each for FUZZ_SECONDS (60), and goes on after a crash.
set -euo pipefail

seconds=${FUZZ_SECONDS:-60}
shopt -s nullglob
targets=(fuzz/fuzz_targets/*.rs)
if [[ ${#targets[@]} == 0 ]]; then
    echo "error: no target in fuzz/fuzz_targets" >&2
    exit 1
fi

tools/cargo_tool.sh cargo-fuzz 0.13.2
export PATH="$PWD/.tools/bin:$PATH"
# The sanitizer flags are unstable; this lets the stable compiler take them.
export RUSTC_BOOTSTRAP=1

passed=0 failed=()
for target in "${targets[@]}"; do
    name=$(basename "$target" .rs)
    echo "== fuzz $name, $seconds s"
    if cargo fuzz run "$name" -- -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1; then
        passed=$((passed + 1))
    else
        failed+=("$name")
    fi
done
for name in "${failed[@]}"; do
    echo "crashed: $name (inputs in fuzz/artifacts/$name)"
done
echo "fuzz: $passed passed, ${#failed[@]} failed"
[[ ${#failed[@]} == 0 ]]
