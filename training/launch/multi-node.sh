#!/usr/bin/env bash
# Train a recipe on several nodes: start this on each of them. The same commands go on after an interruption.
#
#   NODES=2 RENDEZVOUS=node1:29500 training/launch/multi-node.sh RECIPE --out /shared/runs/NAME [OPTION …]
#
# Variables:
#   NODES            number of nodes, needed; 2:4 starts with two or more and goes on when one of four fails
#   RENDEZVOUS       HOST:PORT on one of the nodes that all can reach, needed
#   RUN_ID           tells runs with the same RENDEZVOUS apart; default duet
#   ADDRESS          this node's name or address as the others see it; default: what the machine says of itself
#   PROCESSES        processes on this node; default: the number of its CUDA devices, or 1
#   OMP_NUM_THREADS  threads of each process; default: the node's cores shared among them
#   RESTARTS         how often everything is started again from its checkpoint when a process dies; default 3
#   PYTHON           a Python that has the project; default: .venv/bin/python of this repository
#
# --out must be one folder that all nodes share: the first process writes there and all read. Caches (data.cache) may be
# shared or each node's own. A step has optimizer.batch_size anchors for each process of all nodes (docs/distributed.md).
set -euo pipefail

if [[ $# -eq 0 || -z ${NODES:-} || -z ${RENDEZVOUS:-} ]]; then
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
# shellcheck source=training/launch/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

exec "$python" -m torch.distributed.run \
    --nnodes "$NODES" --nproc-per-node "$processes" --max-restarts "${RESTARTS:-3}" \
    --rdzv-backend c10d --rdzv-endpoint "$RENDEZVOUS" --rdzv-id "${RUN_ID:-duet}" \
    ${ADDRESS:+--local-addr "$ADDRESS"} \
    -m duet_core.cli train "$@"
