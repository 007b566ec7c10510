# Two commands are all it takes: `make run` and `make test`. Both honour CARGO_TARGET_DIR.
#
#   make run                                   a demonstration over README.md, without any model
#   make run GOAL="…" FILES="a.csv b.md"       your goal over your files
#   make test                                  installs what the tests need and runs all of them

# Taken as they stand: a `$` in a goal is the goal's.
export STAGE7_RUN_GOAL := $(value GOAL)
export STAGE7_RUN_FILES := $(value FILES)
unexport GOAL FILES

.PHONY: run test test-peers soak bench bench-peers bench-plugins bench-brain fmt lint

run:
	@scripts/run.sh

test:
	@scripts/test.sh

# Against servers of models that others made; minutes to install.
test-peers:
	@scripts/test-peers.sh

# The long runs: what `make test` tries forty times, hundreds of times.
soak:
	@scripts/test.sh soak

# How fast this machine makes it, beside the raw log and, with `-peers`, beside other engines.
bench:
	@scripts/bench.sh

bench-peers:
	@scripts/bench.sh peers

# What a plugin run costs beside the bare command.
bench-plugins:
	@cargo run --quiet --release --package capabilities --example overhead

# What a model call costs beside the bare client.
bench-brain:
	@cargo run --quiet --release --package brain --example overhead

fmt:
	cargo fmt --all

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
