#!/usr/bin/env bash
# Installs servers of models that others made, and tries stage7 against them: llama.cpp's own server, built
# from the sources in llama-cpp-python's package, with a model of random weights; LiteLLM's proxy with
# answers of its own. Nothing of it is part of `make test`. The last line counts:
#     N passed, N failed
#
# STAGE7_PEER_LLAMA_SERVER is another llama-server to try, which then is not built.
set -u
cd "$(dirname "$0")/.."
scripts/prerequisites.sh || exit 1
llama=0.3.36

stop() {
    echo "$*" >&2
    echo "0 passed, 1 failed"
    exit 1
}
command -v c++ >/dev/null || stop "missing: a C++ compiler (c++); get it with: apt-get install g++"

# Each is made aside and renamed: what is half made is never taken for whole.
cache="${XDG_CACHE_HOME:-$HOME/.cache}/stage7"
mkdir -p "$cache"
python="$cache/model-peers-$(sha256sum scripts/test-peers.txt | cut -c1-12)"
if [ ! -x "$python/bin/python" ]; then
    echo "making a Python environment in $python"
    rm -rf "$python"
    { python3 -m venv "$python" && "$python/bin/python" -m pip install --quiet --requirement scripts/test-peers.txt; } \
        || { rm -rf "$python"; stop "the Python environment can't be made"; }
fi
export STAGE7_PEER_PYTHON="$python/bin/python" STAGE7_PEER_LITELLM="$python/bin/litellm"

build() { # in an empty folder: the server alone, without its pages, for any processor of this kind
    "$python/bin/python" -m pip download --quiet --no-deps --no-binary :all: --dest . "llama-cpp-python==$llama" \
        && tar xzf ./*.tar.gz --strip-components=3 --wildcards '*/vendor/llama.cpp/*' \
        && "$python/bin/cmake" -B build -G Ninja -DCMAKE_MAKE_PROGRAM="$python/bin/ninja" -DCMAKE_BUILD_TYPE=Release \
            -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF \
            -DLLAMA_OPENSSL=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_BUILD_TESTS=OFF \
            -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
        && "$python/bin/cmake" --build build --target llama-server
}
if [ -z "${STAGE7_PEER_LLAMA_SERVER:-}" ]; then
    STAGE7_PEER_LLAMA_SERVER="$cache/llama-server-$llama"
    if [ ! -x "$STAGE7_PEER_LLAMA_SERVER" ]; then
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        echo "building llama-server in $work (its log: $cache/llama-server.log)"
        (cd "$work" && build) >"$cache/llama-server.log" 2>&1 || { tail -n 20 "$cache/llama-server.log"; stop "llama-server can't be built"; }
        cp "$work/build/bin/llama-server" "$STAGE7_PEER_LLAMA_SERVER.new"
        mv "$STAGE7_PEER_LLAMA_SERVER.new" "$STAGE7_PEER_LLAMA_SERVER"
    fi
    export STAGE7_PEER_LLAMA_SERVER
fi
STAGE7_NATS_SERVER=$(cargo run --quiet --package nats --example nats_server) || stop "no nats-server: see above"
export STAGE7_NATS_SERVER

log="${CARGO_TARGET_DIR:-target}/test-peers.log"
cargo test --package stage7 --features peers --test e2e -- --test-threads=1 peers:: 2>&1 | tee "$log"
counts=$(sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed; .*/\1 passed, \2 failed/p' "$log")
echo
echo "${counts:-0 passed, 1 failed}"
[[ "$counts" != 0\ * && "$counts" == *", 0 failed" ]]
