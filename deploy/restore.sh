#!/usr/bin/env bash
# Put back what deploy/backup.sh saved, in place of everything that Redis holds now. Photos are classified meanwhile, from
# the last snapshot; what was written after the backup is gone.
# Usage: deploy/restore.sh backup.tar
set -euo pipefail
from=$(realpath -e "${1:?usage: deploy/restore.sh FILE.tar}")
cd "$(dirname "$0")/.."
source deploy/compose.sh

tar --list --file "$from" | grep -q '^appendonlydir/.*manifest$' || { echo "error: $from is no backup" >&2; exit 1; }
compose stop redis
# A container of its own writes the files: as the user of Redis, into the volume of Redis.
compose run --rm -T --no-deps redis sh -c 'rm -rf /data/appendonlydir && tar --extract --directory /data' <"$from"
compose start redis
echo "restored $from; replicas follow within seconds"
