"""The launch scripts: each starts a real run on this machine; Slurm is played by two stand-ins."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from duet_core.record import Record
from tests.duet_core.tiny_world import TinyWorld

ROOT = Path(__file__).resolve().parents[3]
LAUNCH = ROOT / "training" / "launch"
SCRIPTS = ("single-node.sh", "multi-node.sh", "slurm.sbatch")
SRUN = """#!/usr/bin/env bash
# srun on two nodes: the command twice, each with a log of its own
while [[ $1 == --* ]]; do
    [[ $1 == --output=* ]] && log=${1#--output=}
    shift
done
"$@" >"${log/\\%N/0}" 2>&1 & first=$!
"$@" >"${log/\\%N/1}" 2>&1 & second=$!
wait "$first" && wait "$second"
"""
SCONTROL = """#!/usr/bin/env bash
if [[ $1 == requeue ]]; then echo "requeue $2" >>"$SAID"; else printf '127.0.0.1\\n127.0.0.1\\n'; fi
"""


def environment(**more: object) -> Mapping[str, str]:
    """For processes on the CPU of this machine."""
    own = {"PYTHON": sys.executable, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "RESTARTS": "0"}
    return os.environ | own | {name: str(value) for name, value in more.items()}


def recipe(world: TinyWorld, folder: Path) -> Path:
    return world.write_recipe(
        folder / "tiny.yaml", optimizer__epochs=1, optimizer__schedule="constant", data__cache=str(folder / "cache")
    )


def assert_finished(out: Path, *, world: int) -> None:
    folder = out / "validation" / "seed0"
    assert 0 <= Record.read(folder / "record.json").metrics["H"] <= 1
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    assert (state["world"], state["begun"]) == (world, world)


def stand_ins(folder: Path, *, srun: str = SRUN) -> Path:
    """A folder with `srun` and `scontrol`, to go first on PATH."""
    folder.mkdir()
    for name, text in (("srun", srun), ("scontrol", SCONTROL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def free_port() -> int:
    """One that `slurm.sbatch` would make of a job's number: 20000 and the number."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)):
                return port


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_sound_and_explain_themselves(script: str) -> None:
    subprocess.run(["bash", "-n", LAUNCH / script], check=True)
    if shutil.which("shellcheck"):
        checked = subprocess.run(
            ["shellcheck", "-x", LAUNCH / script], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout
    told = subprocess.run(["bash", LAUNCH / script], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "RECIPE" in told.stderr
    text = (LAUNCH / script).read_text()
    for variable in ("PROCESSES", "OMP_NUM_THREADS", "RESTARTS", "PYTHON"):
        assert f"#   {variable} " in text


@pytest.mark.slow
def test_a_single_node(tiny_world: TinyWorld, tmp_path: Path) -> None:
    done = subprocess.run(
        [LAUNCH / "single-node.sh", recipe(tiny_world, tmp_path), "--out", tmp_path / "runs", "--validate-only"],
        cwd=tmp_path,
        env=environment(PROCESSES=2),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("duet validation seed 0:")
    assert_finished(tmp_path / "runs", world=2)


@pytest.mark.slow
def test_two_nodes_under_slurm(tiny_world: TinyWorld, tmp_path: Path) -> None:
    made, job = stand_ins(tmp_path / "bin"), free_port() - 20_000
    done = subprocess.run(
        ["bash", LAUNCH / "slurm.sbatch", recipe(tiny_world, tmp_path), "--out", tmp_path / "runs", "--validate-only"],
        cwd=tmp_path,
        env=environment(
            PATH=f"{made}:{os.environ['PATH']}",
            PROCESSES=1,
            ADDRESS="127.0.0.1",
            SLURM_JOB_ID=job,
            SLURM_JOB_NODELIST="node[0-1]",
            SLURM_SUBMIT_DIR=ROOT,
        ),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    logs = [(tmp_path / f"slurm-{job}" / f"node-{node}.log").read_text() for node in (0, 1)]
    assert done.returncode == 0, logs
    assert sum("duet validation seed 0:" in log for log in logs) == 1  # the first process alone speaks
    assert_finished(tmp_path / "runs", world=2)


def test_a_job_out_of_time_is_queued_again(tmp_path: Path) -> None:
    made = stand_ins(tmp_path / "bin", srun='#!/usr/bin/env bash\ntouch "$LOGS/started"; sleep 1.5; exit 3\n')
    said = tmp_path / "said"
    job = subprocess.Popen(
        ["bash", LAUNCH / "slurm.sbatch", "recipe.yaml"],
        cwd=tmp_path,
        env=environment(
            PATH=f"{made}:{os.environ['PATH']}",
            LOGS=tmp_path,
            SLURM_JOB_ID=12,
            SLURM_JOB_NODELIST="node0",
            SLURM_SUBMIT_DIR=ROOT,
            SAID=said,
        ),
    )
    while not (tmp_path / "started").exists():
        time.sleep(0.02)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(timeout=60) == 3  # that of the step, for which it has waited on
    assert said.read_text() == "requeue 12\n"
