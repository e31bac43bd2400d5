"""`duet study run` on the tiny benchmark, in processes of its own: killed, gone on with, shared, failing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from duet_core.record import Record
from tests.duet_core.tiny_world import TinyWorld

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
ROWS: dict[str, Any] = {"duet": {}, "without_con": {"set": {"loss.lambda_con": 0.0}}}
EPOCHS = 16
"""They give a run some seconds to be killed in."""


class Place:
    """A working directory with a study of the tiny world."""

    def __init__(self, folder: Path, world: TinyWorld, rows: dict[str, Any], *, epochs: int) -> None:
        self.folder = folder
        recipe = world.write_recipe(
            folder / "tiny.yaml", optimizer__epochs=epochs, run__checkpoint_every=2, run__log_every=100
        )
        study = {"title": "Tiny", "recipe": str(recipe), "seeds": [0, 1, 2], "rows": rows}
        (folder / "tiny_study.yaml").write_text(yaml.safe_dump(study))

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "duet_core.cli", "study", "run", "tiny_study.yaml", *words]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, code: int = 0) -> str:
        process = self.start(*words)
        out, _ = process.communicate(timeout=300)
        assert process.returncode == code, out
        return out

    def records(self) -> dict[str, Record]:
        folder = self.folder / "training" / "records"
        return {str(file.relative_to(folder)): Record.read(file) for file in sorted(folder.rglob("*.json"))}

    def checkpoints(self) -> list[Path]:
        return list((self.folder / "runs").rglob("checkpoint.pt"))

    def logs(self) -> str:
        return "".join(file.read_text() for file in (self.folder / "runs" / "studies" / "logs").glob("*.log"))


@pytest.fixture
def place(tmp_path: Path, tiny_world: TinyWorld) -> Place:
    return Place(tmp_path, tiny_world, ROWS, epochs=2)


def until(true: Callable[[], object], process: subprocess.Popen[str], seconds: float = 120) -> None:
    """Wait for something to be so while a process goes on."""
    end = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "it never was so"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def metrics(records: dict[str, Record]) -> dict[str, dict[str, float]]:
    return {name: record.metrics for name, record in records.items()}


def test_a_study_that_is_killed_goes_on_as_if_nothing_had_happened(tmp_path: Path, tiny_world: TinyWorld) -> None:
    for name in ("killed", "unbroken"):
        (tmp_path / name).mkdir()
    killed = Place(tmp_path / "killed", tiny_world, ROWS, epochs=EPOCHS)
    unbroken = Place(tmp_path / "unbroken", tiny_world, ROWS, epochs=EPOCHS)
    process = killed.start("--seeds", "0")
    until(lambda: killed.records() and killed.checkpoints(), process)  # one run is finished, the second is on its way
    workers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    first = {file: file.stat().st_mtime_ns for file in (killed.folder / "training").rglob("*.json")}
    end = time.monotonic() + 20
    while any(map(alive, workers)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(alive, workers))  # nothing trains on unseen

    out = killed.run("--seeds", "0")
    assert f"tiny_study: 4 runs, {len(first)} finished, {4 - len(first)} to train" in out
    assert "resumed" in killed.logs()
    assert {file: file.stat().st_mtime_ns for file in first} == first
    assert killed.checkpoints() == []
    unbroken.run("--seeds", "0", "--workers", "2")
    assert metrics(killed.records()) == metrics(unbroken.records())
    assert len(killed.records()) == 4


def test_ctrl_c_and_sigterm_end_the_workers_and_leave_checkpoints(tmp_path: Path, tiny_world: TinyWorld) -> None:
    place = Place(tmp_path, tiny_world, ROWS, epochs=EPOCHS)
    for sent in (signal.SIGTERM, signal.SIGINT):
        begun = time.time()
        process = place.start("--workers", "2")
        # Those of the first round are older: a new one says that the second is under way.
        until(lambda t=begun: sum(file.stat().st_mtime > t for file in place.checkpoints()) > 0, process)  # type: ignore[misc]
        workers = children(process.pid)
        process.send_signal(sent)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 130, out
        assert "Traceback" not in out
        assert "leaked" not in out
        end = time.monotonic() + 20
        while any(map(alive, workers)) and time.monotonic() < end:
            time.sleep(0.05)
        assert not any(map(alive, workers))


def test_every_run_is_trained_once_by_the_honest_protocol(place: Place) -> None:
    out = place.run("--workers", "2")
    lines = [line for line in out.splitlines() if line.startswith("[")]
    assert len(lines) == 8
    assert lines[-1].startswith("[8/8] ")
    assert "; 4 left, about" in lines[3]
    assert len(out.splitlines()) == 9  # and nothing else is said
    records = place.records()
    rows, runs = ("duet", "without_con"), ("test-seed0", "test-seed1", "test-seed2", "validation-seed0")
    assert list(records) == [f"tiny_study/{row}/{run}.json" for row in rows for run in runs]
    for row in rows:
        gamma = records[f"tiny_study/{row}/validation-seed0.json"].metrics["gamma"]
        assert {records[f"tiny_study/{row}/test-seed{seed}.json"].metrics["gamma"] for seed in range(3)} == {gamma}
    # as `duet train` would have it
    recipe = place.folder / "tiny.yaml"
    command = [sys.executable, "-m", "duet_core.cli", "train", str(recipe), "--out", "own"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(command, cwd=place.folder, env=environment, check=True, capture_output=True)
    assert (
        Record.read(place.folder / "own/test/seed0/record.json").metrics
        == records["tiny_study/duet/test-seed0.json"].metrics
    )
    assert place.checkpoints() == []
    assert "8 runs, 8 finished, 0 to train" in place.run()


def test_a_study_goes_on_from_records_alone_and_shares_those_of_others(place: Place) -> None:
    place.run("--only", "duet", "--seeds", "0")
    other = yaml.safe_load((place.folder / "tiny_study.yaml").read_text())
    other["rows"] = {"base": {}, "half": {"set": {"sampling.rho": 0.5}}}
    (place.folder / "tiny_study.yaml").rename(place.folder / "first.yaml")
    (place.folder / "tiny_study.yaml").write_text(yaml.safe_dump(other))
    subprocess.run(["rm", "-r", "runs"], cwd=place.folder, check=True)
    assert "8 runs, 2 finished, 6 to train" in place.run("--workers", "2")
    names = set(place.records())
    assert "tiny_study/base/test-seed1.json" in names
    assert "tiny_study/base/test-seed0.json" not in names  # the row duet of the first study
    assert "tiny_study/base/validation-seed0.json" not in names


def test_a_dry_run_refuses_what_a_run_refuses(place: Place) -> None:
    said = place.run("--dry-run", "--workers", "0", code=2)
    assert said.strip() == "duet study run: --workers: got 0; allowed is 1 or more"


def test_what_fails_is_told_and_stops_nothing_else(tmp_path: Path, tiny_world: TinyWorld) -> None:
    broken = {"set": {"vision.name": "no_such_encoder"}}
    place = Place(tmp_path, tiny_world, {"broken": broken, **ROWS}, epochs=2)
    out = place.run("--seeds", "0", code=2)
    assert "broken validation seed 0 FAILED: " in out
    assert "broken test seed 0 FAILED: no γ: its validation run failed" in out
    assert "2 runs failed; their tracebacks are in runs/studies/logs" in out
    assert "Traceback" not in out
    assert "no_such_encoder" in place.logs()
    assert len(place.records()) == 4


def test_a_worker_that_dies_is_replaced(tmp_path: Path, tiny_world: TinyWorld) -> None:
    place = Place(tmp_path, tiny_world, ROWS, epochs=EPOCHS)
    process = place.start("--seeds", "0")
    until(place.checkpoints, process)
    worker = next(pid for pid in children(process.pid) if "resource_tracker" not in _command(pid))
    os.kill(worker, signal.SIGKILL)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "duet validation seed 0 FAILED: its process ended with exit code -9" in out
    assert list(place.records()) == [
        "tiny_study/without_con/test-seed0.json",
        "tiny_study/without_con/validation-seed0.json",
    ]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    """No test leaves a process behind: they would slow down all that follow."""
    before = set(children(os.getpid()))
    yield
    assert set(children(os.getpid())) <= before
