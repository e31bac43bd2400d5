"""Two processes on this machine train one model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from duet_core.record import Record
from tests.duet_core.tiny_world import TinyWorld

ROOT = Path(__file__).resolve().parents[3]
WORKER = """
import sys, torch
from duet_core.commands import train
from duet_core.trainer import Trainer
saved = Trainer.fit
def fit(self, **options):
    saved(self, **options)
    rank = torch.distributed.get_rank()
    torch.save(dict(self._model.named_parameters()), f"{sys.argv[2]}.{self._folder.parent.name}.{rank}")
Trainer.fit = fit
from pathlib import Path
for line in train.run(Path(sys.argv[1]), out=Path(sys.argv[2])):
    print(line, flush=True)
"""


@pytest.mark.slow
def test_two_processes_finish_with_equal_replicas(tiny_world: TinyWorld, tmp_path: Path) -> None:
    recipe, out = tiny_world.write_recipe(tmp_path / "tiny.yaml", optimizer__batch_size=3), tmp_path / "runs"
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, str(worker), str(recipe), str(out)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["duet validation seed 0", "duet test seed 0"]
    for split in ("validation", "test"):
        first, second = (torch.load(f"{out}.{split}.{rank}", weights_only=True) for rank in (0, 1))
        assert all(torch.equal(first[name], second[name]) for name in first)
        record = Record.read(out / split / "seed0" / "record.json")
        assert 0 <= record.metrics["H"] <= 1
    state = torch.load(out / "test" / "seed0" / "checkpoint.pt", weights_only=True)
    assert (state["world"], state["step"]) == (2, 2 * (9 // 2))
