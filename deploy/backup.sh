#!/usr/bin/env bash
# Save what Redis holds while the stack runs: every class space with versions, tombstones and audit log, labelled photos.
# Usage: deploy/backup.sh backup.tar        Restore with: deploy/restore.sh backup.tar
set -euo pipefail
out=$(realpath -m "${1:?usage: deploy/backup.sh FILE.tar}")
cd "$(dirname "$0")/.."
source deploy/compose.sh

redis() { compose exec -T redis redis-cli "$@" | tr -d '\r'; }
rewriting() { redis info persistence | grep -qE '^aof_rewrite_(in_progress|scheduled):1'; }

# Redis replaces the files of its append-only log when it rewrites them; without rewrites they only grow, and a copy that
# ends in the middle of a write loses that write alone, which nobody was told of yet.
before=$(redis config get auto-aof-rewrite-percentage | tail -1)
trap 'redis config set auto-aof-rewrite-percentage "$before" >/dev/null' EXIT
redis config set auto-aof-rewrite-percentage 0 >/dev/null
while rewriting; do sleep 0.2; done
# The manifest first and at its present length: tar takes what the files hold at this moment and no more.
compose exec -T redis tar --create --directory /data --warning=no-file-changed appendonlydir >"$out.part" || [ $? -eq 1 ]
tar --list --file "$out.part" | grep -q 'appendonly.*manifest' || { echo "error: $out.part is no whole copy" >&2; exit 1; }
mv "$out.part" "$out"
echo "saved $(redis --scan --pattern 'zs:*:rev' | wc -l) class spaces, $(stat -c %s "$out") bytes, in $out"
