#!/usr/bin/env bash
# Put the programs that tests drive on this machine where they are missing; start nothing (tests start their own):
# a Redis server, a Chromium for the page, and faketime for jumps of the clock.
set -euo pipefail

have() {
    local name
    for name in "$@"; do
        if command -v "$name" >/dev/null; then return 0; fi
    done
    return 1
}

missing=()
have redis-server || missing+=(redis-server)
have chromium chromium-browser google-chrome google-chrome-stable || missing+=(chromium fonts-liberation)
have faketime || missing+=(faketime)
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]} with apt-get"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    # RUNLEVEL=1 keeps the package of Redis from starting a server on port 6379.
    if { apt-get update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
        exit 0
    fi
    cat "$log" >&2
fi

echo "error: the tests need ${missing[*]}, not found on the PATH." >&2
echo "Install them (Debian, Ubuntu: sudo apt-get install ${missing[*]}; Fedora: sudo dnf install redis chromium libfaketime)." >&2
exit 1
