#!/usr/bin/env bash
# What a process of a run needs on this machine; sourced by single-node.sh and multi-node.sh, which tell the variables.
# Sets python and processes for them, exports the rest.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${PYTHON:-$repository/.venv/bin/python}
devices=$(nvidia-smi -L 2>/dev/null | grep -c ^GPU || true)
processes=${PROCESSES:-$((devices > 0 ? devices : 1))}
cores=$(($(nproc) / processes))
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((cores > 0 ? cores : 1))}
export PYTHONPATH=$repository${PYTHONPATH:+:$PYTHONPATH}
# Otherwise torch keeps the addresses of died processes in one store over all restarts, and new ones may call them.
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
