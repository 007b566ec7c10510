#!/usr/bin/env bash
# Names every missing prerequisite with the command that gets it, before anything is built.
set -u
missing=0

lacks() { # what it is, the command that gets it
    echo "missing: $1" >&2
    echo "    get it with: $2" >&2
    missing=1
}

as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo "
if command -v apt-get >/dev/null; then install="${as_root}apt-get update && ${as_root}apt-get install -y"
elif command -v dnf >/dev/null; then install="${as_root}dnf install -y"
elif command -v pacman >/dev/null; then install="${as_root}pacman -S --needed"
elif command -v apk >/dev/null; then install="${as_root}apk add"
else install="your package manager:"; fi

if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
    lacks "Rust (cargo, rustc)" "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
else
    needs=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$(dirname "$0")/../Cargo.toml" | head -n 1)
    has=$(rustc --version | cut -d' ' -f2)
    if [ "$(printf '%s\n%s\n' "$needs" "$has" | sort -V | head -n 1)" != "$needs" ]; then
        lacks "Rust $needs or newer (this is $has)" "rustup update stable"
    fi
fi
if ! command -v cc >/dev/null; then
    lacks "a C compiler (cc)" "$install gcc"
elif ! echo 'int main(void){return 0;}' | cc -x c -o /dev/null - 2>/dev/null; then
    lacks "the C library's headers (cc can't link a program)" "$install build-essential"
fi
exit "$missing"
