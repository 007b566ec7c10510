#!/usr/bin/env bash
# Measures a release build: `stage7 bench`, and with `peers` other engines beside it.
#
#     scripts/bench.sh             target/bench.json, and the table on standard output
#     scripts/bench.sh peers       target/bench-peers.json likewise
#
# STAGE7_BENCH_RUNS is how many runs the medians are of (5). The exit code says whether every
# figure is what it must be.
set -eu
cd "$(dirname "$0")/.."
scripts/prerequisites.sh
target="${CARGO_TARGET_DIR:-target}"
runs="${STAGE7_BENCH_RUNS:-5}"
cargo build --release -p stage7
stage7="$target/release/stage7"

if [ "${1:-}" != peers ]; then
    exec "$stage7" bench --runs "$runs" --save "$target/bench.json" --data "$target/bench"
fi

# The environment is made aside and renamed: a half made one is never taken for whole.
cache="${XDG_CACHE_HOME:-$HOME/.cache}/stage7"
mkdir -p "$cache"
python="$cache/peers-$(sha256sum scripts/peers.txt | cut -c1-12)"
if [ ! -x "$python/bin/python" ]; then
    echo "making a Python environment in $python" >&2
    rm -rf "$python" "$python.new"
    python3 -m venv "$python.new"
    "$python.new/bin/python" -m pip install --quiet --requirement scripts/peers.txt || { rm -rf "$python.new"; exit 1; }
    mv "$python.new" "$python"
fi
exec "$python/bin/python" scripts/peers.py "$stage7" "$runs" "$target"
