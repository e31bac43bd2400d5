#!/usr/bin/env bash
# Put Chromium on this machine if no browser of its kind is there; the tests of the page drive it.
set -euo pipefail

for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then
        exit 0
    fi
done

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "installing chromium with apt-get"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    if { apt-get update && DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends chromium fonts-liberation; } >"$log" 2>&1 </dev/null; then
        exit 0
    fi
    cat "$log" >&2
fi

echo "error: the tests of the page drive a real Chromium, and none is on the PATH." >&2
echo "Install it (Debian: sudo apt-get install chromium; Fedora: sudo dnf install chromium)." >&2
exit 1
