"""Two processes on this machine train one model: with equal replicas, and the gradients of one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from duet_core.record import Record
from tests.duet_core.tiny_world import TinyWorld
from tests.duet_core.training.gradients import gradients_of

ROOT = Path(__file__).resolve().parents[3]
WORKER = """
import sys, torch
from duet_core.commands import train
from duet_core.benchmarks import PhotoCache
from duet_core.trainer import Trainer
from pathlib import Path
saved, build = Trainer.fit, PhotoCache._build
def _build(self, file):
    Path(f"{sys.argv[2]}.decoded").open("a").write(f"{torch.distributed.get_rank()}\\n")
    build(self, file)
PhotoCache._build = _build
def fit(self, **options):
    saved(self, **options)
    rank = torch.distributed.get_rank()
    torch.save(dict(self._model.named_parameters()), f"{sys.argv[2]}.{self._folder.parent.name}.{rank}")
Trainer.fit = fit
for line in train.run(Path(sys.argv[1]), out=Path(sys.argv[2])):
    print(line, flush=True)
"""


GRADIENTS = """
import sys, torch
from pathlib import Path
from tests.duet_core.training.gradients import gradients_of
from tests.duet_core.tiny_world import TinyWorld
from duet_core.processes import Processes
torch.distributed.init_process_group("gloo")
processes = Processes(rank=torch.distributed.get_rank(), world=2)
out = Path(sys.argv[2])
for size, group in ((5, 1), (2, 2)):
    kept = gradients_of(TinyWorld(Path(sys.argv[1])), out, size=size, group=group, processes=processes)
    torch.save(kept, out / f"{size}.{processes.rank}.pt")
torch.distributed.destroy_process_group()
"""


def torchrun(worker: Path, *words: object) -> str:
    """What two processes print that run a script on the CPU."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*start, str(worker), *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one_with_batches_twice_as_large(
    tiny_world: TinyWorld, tmp_path: Path
) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(GRADIENTS)
    torchrun(worker, tiny_world.folder, tmp_path)
    # 25 photos. 2 x 5 against 10, twice; and 2 x (2 + 2) accumulated against 8, twice
    for size, group in ((5, 1), (2, 2)):
        one = gradients_of(tiny_world, tmp_path, size=2 * size * group, group=1)
        two = [torch.load(tmp_path / f"{size}.{rank}.pt", weights_only=True) for rank in (0, 1)]
        for update in (0, 1):
            assert len(one[update]) == len(two[0][update]) > 10
            for expected, first, second in zip(one[update], two[0][update], two[1][update], strict=True):
                torch.testing.assert_close(first, expected, rtol=1e-4, atol=1e-6)
                assert torch.equal(first, second)


@pytest.mark.slow
def test_two_processes_finish_with_equal_replicas(tiny_world: TinyWorld, tmp_path: Path) -> None:
    recipe, out = tmp_path / "tiny.yaml", tmp_path / "runs"
    tiny_world.write_recipe(
        recipe,
        data__cache=str(tmp_path / "cache"),
        sampling__rho=0.5,  # the two steps of a group often have different stages, and so use different parameters
        optimizer__batch_size=3,
        optimizer__accumulation=2,
        optimizer__schedule="constant",
    )
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)
    lines = torchrun(worker, recipe, out).splitlines()
    assert Path(f"{out}.decoded").read_text().split() == ["0", "0"]  # photos for training and for judging, once each
    assert [line.split(":")[0] for line in lines] == ["duet validation seed 0", "duet test seed 0"]
    for split in ("validation", "test"):
        first, second = (torch.load(f"{out}.{split}.{rank}", weights_only=True) for rank in (0, 1))
        assert all(torch.equal(first[name], second[name]) for name in first)
        record = Record.read(out / split / "seed0" / "record.json")
        assert 0 <= record.metrics["H"] <= 1
    state = torch.load(out / "test" / "seed0" / "checkpoint.pt", weights_only=True)
    assert (state["world"], state["step"]) == (2, 2 * (9 // 2))
