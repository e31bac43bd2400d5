#!/usr/bin/env bash
# Search for photos and request bodies that do anything but be read or refused, guided by the code they reach.
# Usage: deploy/fuzz.sh PYTHON SECONDS   (make fuzz). What was found lies in build/fuzz/findings, one file each; the
# files that reached new code stay in build/fuzz, so that the next search goes on from them.
set -euo pipefail

python=$1
seconds=$2
cd "$(dirname "$0")/.."
mkdir -p build/fuzz/findings
"$python" -m tests.fuzz.seeds build/fuzz/seeds
for target in photos bodies; do
    mkdir -p "build/fuzz/$target"
    echo "== $target, $seconds s"
    nice -n 10 "$python" -m "tests.fuzz.$target" "build/fuzz/$target" "build/fuzz/seeds/$target" \
        -max_total_time="$seconds" -max_len=16384 -timeout=30 -rss_limit_mb=1024 \
        -artifact_prefix=build/fuzz/findings/ -print_final_stats=1 2>"build/fuzz/$target.log" ||
        { grep -v '^INFO: Instrumenting' "build/fuzz/$target.log" | tail -60; exit 1; }
    grep -E 'DONE|number_of_executed_units' "build/fuzz/$target.log"
done
