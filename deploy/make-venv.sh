#!/usr/bin/env bash
# Make a virtual environment with the first Python 3.11 or newer that works; PYTHON=... chooses one.
# Usage: deploy/make-venv.sh .venv
set -euo pipefail

venv=$1
if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi

# A name on the PATH is not enough: version managers leave names that refuse to run, and Debian ships a python3
# without ensurepip. The versions the pins were tried with come first.
usable() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

for python in ${PYTHON:-python3.13 python3.12 python3.11 python3 python3.14}; do
    if usable "$python"; then
        echo "making $venv with $("$python" --version) ($python)"
        rm -rf "$venv"
        exec "$python" -m venv "$venv"
    fi
done

echo "error: no Python 3.11 or newer with its venv module among: ${PYTHON:-python3.13 python3.12 python3.11 python3 python3.14}" >&2
echo "found: $(python3 --version 2>&1 || true). Install one (Debian, Ubuntu: apt-get install python3 python3-venv)," >&2
echo "or name it: make PYTHON=/path/to/python3.12 serve" >&2
exit 1
