#!/usr/bin/env bash
# Builds stage7 and runs one goal: data in ./.stage7, deliverables in ./stage7-out/{mission}/.
# The goal and its files come in STAGE7_RUN_GOAL and STAGE7_RUN_FILES, as `make run` sets them.
set -eu
cd "$(dirname "$0")/.."
scripts/prerequisites.sh
cargo build --release --package stage7
stage7="${CARGO_TARGET_DIR:-target}/release/stage7"
case "$stage7" in /*) ;; *) stage7="./$stage7" ;; esac

arguments=()
for file in ${STAGE7_RUN_FILES:-}; do arguments+=(--file "$file"); done
goal="${STAGE7_RUN_GOAL:-}"
if [ -z "$goal" ]; then
    goal="Read README.md, then analyse it and save the analysis as analysis.json. Count the words, lines and sentences in README.md into counts.json. Get the keywords of README.md as keywords.json, and keep the lines of README.md containing \"stage7\" as mentions.txt."
    arguments+=(--file README.md)
    if [ -z "${OPENAI_API_KEY:-}${OPENAI_API_URL:-}" ]; then arguments+=(--model offline); fi
fi
exec "$stage7" run "$goal" "${arguments[@]}"
