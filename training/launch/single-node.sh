#!/usr/bin/env bash
# Train a recipe on all devices of this machine. The same command goes on after an interruption.
#
#   training/launch/single-node.sh RECIPE [OPTION …]     options are those of `duet train`, such as --out runs/NAME
#
# Variables:
#   PROCESSES        processes on this machine; default: the number of its CUDA devices, or 1
#   OMP_NUM_THREADS  threads of each process; default: the machine's cores shared among them
#   RESTARTS         how often everything is started again from its checkpoint when a process dies; default 3
#   PYTHON           a Python that has the project; default: .venv/bin/python of this repository
#
# A step has PROCESSES times the recipe's optimizer.batch_size anchors. To keep a recipe's batch of 50 on two devices,
# say --set optimizer.batch_size=25 (docs/distributed.md).
set -euo pipefail

if [[ $# -eq 0 ]]; then
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
# shellcheck source=training/launch/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

exec "$python" -m torch.distributed.run --standalone \
    --nproc-per-node "$processes" --max-restarts "${RESTARTS:-3}" \
    -m duet_core.cli train "$@"
