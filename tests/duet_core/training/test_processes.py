"""Two processes are one with their batch, in losses, weights and what they judge; each goes on with the other's run."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from duet_core.processes import Processes, ProcessLostError
from tests.duet_core.tiny_world import TinyWorld
from tests.duet_core.training import runs

ROOT = Path(__file__).resolve().parents[3]


def two_processes(job: str, world: TinyWorld, out: Path) -> subprocess.CompletedProcess[str]:
    """Let two processes do a job of `worker.py`."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*start, "-m", "tests.duet_core.training.worker", job, str(world.folder), str(out)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def state_of(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(folder / "checkpoint.pt", weights_only=True)
    return state


def log_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def assert_close(first: Path, second: Path, *, rtol: float = 1e-4, atol: float = 1e-6) -> None:
    """The weights and batch norms of two runs."""
    ours, theirs = state_of(first), state_of(second)
    assert ours["step"] == theirs["step"]
    torch.testing.assert_close(ours["model"], theirs["model"], rtol=rtol, atol=atol)


@pytest.mark.slow
def test_two_processes_have_the_losses_and_weights_of_one(
    tiny_world: TinyWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_world.experiment().images  # noqa: B018  the cache is made once
    done = two_processes("equal", tiny_world, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    runs.with_plain_steps(monkeypatch)
    for name, changes in runs.CASES.items():
        single = tmp_path / "one" / name
        runs.made(tiny_world, single, begun=1, **changes).fit()
        ours, theirs = log_of(single), log_of(tmp_path / name)
        assert [row["stage"] for row in ours] == [row["stage"] for row in theirs]
        assert {row["stage"] for row in ours} == {"CLS", "CSG"}
        for loss in ("cc", "ar", "sc", "con", "cmr", "acl", "loss"):
            told = [[float(row[loss]) for row in rows if row[loss]] for rows in (ours, theirs)]
            assert told[0], loss
            assert told[1] == pytest.approx(told[0], rel=3e-4), (name, loss)
        assert_close(tmp_path / name, single)
    monkeypatch.setattr("duet_core.experiment._EVAL_BATCH", 8)
    expected = runs.predictions(tiny_world)
    for rank in (0, 1):
        assert torch.equal(torch.load(tmp_path / f"v{rank}.pt", weights_only=True), expected)


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes(
    tiny_world: TinyWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.with_large_epsilon(monkeypatch)
    whole = tmp_path / "single"
    runs.made(tiny_world, whole, begun=1).fit()
    runs.made(tiny_world, tmp_path / "one", begun=1).fit(stop_after=3)
    done = two_processes("resume", tiny_world, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    kept, again = state_of(tmp_path / "whole"), state_of(tmp_path / "broken")
    assert all(torch.equal(value, again["model"][name]) for name, value in kept["model"].items())  # 2 -> 2: bit-equal
    assert (kept["world"], kept["begun"], again["step"]) == (2, 2, kept["step"])
    assert (state_of(tmp_path / "left")["step"], kept["step"]) == (3, 6)

    with caplog.at_level("INFO", logger="duet_core.trainer"):
        runs.made(tiny_world, tmp_path / "left", begun=2).fit()  # the recipe says 4 a process, and it was begun by 2
    assert "1 processes instead of 2: a step keeps its 8 anchors" in caplog.text
    assert (state_of(tmp_path / "left")["world"], state_of(tmp_path / "left")["begun"]) == (1, 2)
    assert (state_of(tmp_path / "one")["world"], state_of(tmp_path / "one")["begun"]) == (2, 1)
    for folder in ("whole", "left", "one"):  # 2, 2 -> 1, 1 -> 2
        assert_close(tmp_path / folder, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_killed_process_ends_the_run_and_it_goes_on(tiny_world: TinyWorld, tmp_path: Path) -> None:
    tiny_world.write_recipe(
        tmp_path / "tiny.yaml", optimizer__batch_size=2, optimizer__schedule="constant", run__checkpoint_every=3
    )
    killed = two_processes("killed", tiny_world, tmp_path)
    assert killed.returncode != 0
    assert "process 0 of 2 lost another one" in killed.stderr or "told to stop (SIGTERM)" in killed.stderr
    assert "the same command goes on from there" in killed.stderr
    assert "Signal 9 (SIGKILL)" in killed.stderr  # torchrun's own report names the cause
    folder = tmp_path / "runs" / "validation" / "seed0"
    assert state_of(folder)["step"] == 3
    (tmp_path / "again").touch()
    done = two_processes("killed", tiny_world, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "at step 3 of" in done.stderr
    assert done.stdout.startswith("duet validation seed 0:")
    assert [int(row["step"]) for row in log_of(folder)] == list(range(state_of(folder)["step"]))


def test_only_errors_of_the_exchange_are_taken_for_a_lost_process() -> None:
    two = Processes(rank=1, world=2)
    with pytest.raises(ProcessLostError, match="process 1 of 2 lost another one"), two.watched():
        raise RuntimeError("[gloo/transport/tcp/pair.cc:525] Connection closed by peer [127.0.0.1]:44321")
    for processes, said in ((two, "CUDA out of memory"), (Processes(), "Connection closed by peer")):
        with pytest.raises(RuntimeError, match=said) as caught, processes.watched():
            raise RuntimeError(said)
        assert not isinstance(caught.value, ProcessLostError)


def test_a_single_process_asks_nobody(tmp_path: Path) -> None:
    alone, rows = Processes(), torch.ones(2, 3, requires_grad=True)
    assert alone.group is None
    assert alone.gather(rows, [2]) is rows
    assert alone.mean({"loss": rows.sum()})["loss"].requires_grad
    assert alone.told(5) == [5]
    alone.check_shared(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()


class Answers(Processes):
    """The second of two processes, on another node than the first."""

    def told(self, value: Any) -> list[Any]:
        return [("node1", True), value] if isinstance(value, tuple) else ["token", value]


def test_a_folder_that_nodes_do_not_share_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"is not the folder that the first process \(node1\) writes to; .*--out /shared"):
        Answers(rank=1, world=2, local=0).check_shared(tmp_path, patience=0)
    (tmp_path / ".shared-token").touch()
    Answers(rank=1, world=2, local=0).check_shared(tmp_path, patience=0)
