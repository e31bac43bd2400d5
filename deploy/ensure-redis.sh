#!/usr/bin/env bash
# Put the program redis-server on this machine if it is missing; start nothing (the tests start servers of their own).
set -euo pipefail

if command -v redis-server >/dev/null; then
    exit 0
fi

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "installing redis-server with apt-get"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    # RUNLEVEL=1 keeps the package from starting a server on port 6379.
    if { apt-get update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends redis-server; } >"$log" 2>&1 </dev/null; then
        exit 0
    fi
    cat "$log" >&2
fi

echo "error: the tests run a real Redis, and redis-server is not on the PATH." >&2
echo "Install it (Debian, Ubuntu: sudo apt-get install redis-server; Fedora: sudo dnf install redis)." >&2
exit 1
