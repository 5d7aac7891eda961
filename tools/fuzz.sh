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

# Fills fuzz/corpus/NAME with inputs to start from: small golden files and fuzz/seeds/NAME.
seed() {
    local name=$1 corpus=fuzz/corpus/$1 file
    mkdir -p "$corpus"
    for file in fuzz/seeds/"$name"/*; do
        cp "$file" "$corpus/seed-$(basename "$file")"
    done
    # A large file slows every input that is made of it.
    while IFS= read -r file; do
        case $name:$file in
            header:*.npy | npy_read:*.npy | npz_read:*.npz) cp "$file" "$corpus/seed-$(basename "$file")" ;;
            # Its first byte chooses how the rest is cut up.
            recv:*.npy) { printf a; cat "$file"; } >"$corpus/seed-$(basename "$file")" ;;
        esac
    done < <(find testdata/golden -type f -size -16k)
}

passed=0 failed=()
for target in "${targets[@]}"; do
    name=$(basename "$target" .rs)
    echo "== fuzz $name, $seconds s"
    seed "$name"
    # Threads that begin or end just then look like leaks.
    leaks=1
    [[ $name == session ]] && leaks=0
    if cargo fuzz run "$name" -- -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 -detect_leaks=$leaks; then
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
