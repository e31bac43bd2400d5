"""The same job on a Ray cluster of this machine, with actors killed while they work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pyarrow.parquet as parquet
import pytest

from duet_core.bulk.job import work_folder
from duet_core.cli import main
from tests.duet_core.bulk.stopped import command, shards

ROOT = Path(__file__).resolve().parents[3]
RAY = ("--ray", "local", "--ray-actors", "2", "--batch", "4")
ENVIRONMENT = os.environ | {"RAY_worker_niceness": "0"}
"""Ray gives its workers the lowest priority: on a busy machine a test would wait for them for ever."""


def below(process: int) -> Iterator[int]:
    """Every process that a process started, directly or not."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        parents.setdefault(parent, []).append(int(entry.name))
    waiting = [process]
    while waiting:
        children = parents.get(waiting.pop(), [])
        yield from children
        waiting.extend(children)


def actors_of(process: int) -> list[int]:
    """The processes of a job's actors."""
    found = []
    for child in below(process):
        try:
            name = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::MapWorker"):
            found.append(child)
    return found


def started(words: list[str]) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    code = [sys.executable, "-m", "duet_core.cli", *words]
    return subprocess.Popen(code, cwd=ROOT, stdout=PIPE, stderr=PIPE, text=True, env=ENVIRONMENT)


def until(running: subprocess.Popen[str], out: Path, count: int) -> None:
    """Wait for so many shards."""
    deadline = time.monotonic() + 300
    while shards(out) < count and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert running.poll() is None, running.communicate()


@pytest.mark.slow
def test_killed_actors_cost_no_row_and_double_none(many: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    out, here = tmp_path / "ray.parquet", tmp_path / "here.parquet"
    assert main(command(many, tiny_bundle, here)) == 0
    running = started(command(many, tiny_bundle, out, *RAY))
    killed: set[int] = set()
    for count in (1, 9):
        until(running, out, count)
        victims = [process for process in actors_of(running.pid) if process not in killed]
        for process in victims:
            os.kill(process, signal.SIGKILL)
        killed |= set(victims)
    printed, told = running.communicate(timeout=400)
    assert running.returncode == 0, told
    assert len(killed) >= 2
    assert f"{out}: 240 photos, 27 of them refused" in printed
    assert parquet.read_table(out).equals(parquet.read_table(here)), "the rows of this machine alone, to the last bit"
    assert not work_folder(out).exists()


@pytest.mark.slow
def test_what_ray_began_goes_on_here_and_mistakes_are_told(many: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.parquet"
    running = started(command(many, tiny_bundle, out, *RAY))
    until(running, out, 2)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "stopped: " in told
    assert main(command(many, tiny_bundle, out)) == 0
    assert parquet.read_table(out)["row"].to_pylist() == list(range(240))
