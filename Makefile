# Needs cargo, Python 3.11 or newer and make; the rest is installed here, into .venv*, .tools and target.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-loss page check check-fast bench bench-instructions bench-memory bench-plots bench-corpus corpus fuzz conformance clean venv venv-bench venvs page-venv wheel cli

PY := .venv/bin/python
PYTHON_SOURCES = $(wildcard python tests demo bench tools docs/spec)
# What lints and Rust tests are built with; the wheel and the command are always of `release`.
export PROFILE ?= dev
# The command alone, unless it comes with a build of something else anyway.
BUILD_CLI ?= cargo build --release -p ndbytes-cli
# pyo3 asks an interpreter for its version; the python3 on PATH may be too old.
export PYO3_PYTHON := $(CURDIR)/$(PY)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: wheel cli ## build, install into .venv, and show what ndbytes does in a minute
	$(PY) demo/demo.py

test: wheel cli page-venv ## every test: Rust, Python with the newest and the oldest NumPy, conformance, network, page
	tools/network.sh
	tools/page.sh browser
	$(PY) tools/run_tests.py

test-loss: wheel cli ## a thousand files between two hosts that lose packets, cables and lives
	tools/network.sh
	NDBYTES_TRANSFERS=1000 $(PY) -m pytest -q -s tests/network/test_loss.py

page: page-venv ## build the page of `ndbytes serve` from web/ into its place
	tools/page.sh build

conformance: wheel ## NumPy's own behaviour as the specification, with both NumPys
	$(PY) tools/run_tests.py conformance conformance-numpy126

check: check-fast ## format, lints, docs, floors, types, licences
	tools/deny.sh

check-fast: wheel page-venv ## what of check needs no cargo tool built first
	cargo fmt --all --check
	cargo fmt --manifest-path bench/rust/Cargo.toml --all --check
	cargo clippy --profile $(PROFILE) --workspace --all-targets --all-features -- -D warnings
	@# Libraries alone: the command has the façade's name, and its pages would overwrite them.
	RUSTDOCFLAGS="-D warnings" cargo doc --profile $(PROFILE) --no-deps --workspace --lib
	cargo xtask floors
	cargo xtask no-todo
	$(PY) -m ruff check $(PYTHON_SOURCES)
	$(PY) -m ruff format --check $(PYTHON_SOURCES)
	$(PY) -m mypy --strict python/ndbytes
	$(PY) -m mypy.stubtest ndbytes --allowlist tests/stubtest-allowlist.txt
	tools/page.sh check

bench: venv-bench cli ## time ndbytes against its peers, answers checked first (BENCH="--write ...")
	tools/network.sh nginx wrk
	.venv-bench/bin/python bench/run.py $(BENCH)
	.venv-bench/bin/python bench/rust_peers.py $(BENCH)

bench-instructions: venv-bench ## count the instructions of small calls (BENCH="--write")
	tools/valgrind.sh
	.venv-bench/bin/python bench/instructions.py $(BENCH)

bench-memory: venv-bench ## the most memory that each path takes, and the disk's part (BENCH="--write")
	.venv-bench/bin/python bench/memory.py $(BENCH)

bench-plots: venv-bench ## draw throughput against size into docs/plots (BENCH="--only WORD")
	.venv-bench/bin/python bench/plots.py $(BENCH)

bench-corpus: corpus venv-bench ## .npz against NumPy, frames against Blosc2, on the corpus (BENCH="--write")
	.venv-bench/bin/python bench/corpus/run.py $(BENCH)

corpus: ## gather the arrays that the codecs are measured on, into bench/corpus/data
	@tools/venv.sh .venv-corpus requirements/corpus.txt
	.venv-corpus/bin/python bench/corpus/gather.py

fuzz: ## fuzz every target for FUZZ_SECONDS (60) each
	tools/fuzz.sh

clean: ## remove what was built here; .tools, slow to build, stays
	cargo clean
	rm -rf .venv .venv-np126 .venv-readers .venv-page web/node_modules fuzz/target bench/rust/target dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

venv-bench: venv
	@tools/venv.sh .venv-bench requirements/bench.txt
	tools/wheel.sh .venv .venv-bench

venv:
	@tools/venv.sh .venv requirements/dev.txt

page-venv:
	@tools/venv.sh .venv-page requirements/page.txt

# NumPy 1.26 has no wheels for Python 3.13.
venvs: venv
	@tools/venv.sh .venv-np126 requirements/numpy126.txt 3.12
	@tools/venv.sh .venv-readers requirements/readers.txt

wheel: venvs
	tools/wheel.sh .venv .venv-np126 .venv-readers

cli:
	$(BUILD_CLI)
