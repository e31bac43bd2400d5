"""Whatever ends a job, the same command goes on: the rows of a job never stopped, none twice, none missing."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from duet_core.bulk.job import locked, work_folder
from duet_core.cli import main
from tests.duet_core.bulk.stopped import command, shards, stopped_after
from tests.tiny_bundle import picture_bytes

ROOT = Path(__file__).resolve().parents[3]
Bulk = Callable[..., subprocess.Popen[str]]


def process(words: list[str]) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    code = [sys.executable, "-m", "duet_core.cli", *words]
    return subprocess.Popen(code, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_shards(out: Path, count: int, running: subprocess.Popen[str]) -> None:
    """Until so many are written."""
    deadline = time.monotonic() + 60
    while shards(out) < count and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)


@pytest.mark.slow
def test_killed_again_and_again_it_gives_the_rows_of_a_job_never_stopped(
    many: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    whole, out = tmp_path / "whole.parquet", tmp_path / "killed.parquet"
    assert main(command(many, tiny_bundle, whole)) == 0
    kills = 0
    for count in (0, 1, 3, 7, 12, 20, 29):
        running = process(command(many, tiny_bundle, out))
        wait_for_shards(out, count, running)
        if running.poll() is None:
            running.kill()
            kills += 1
        running.communicate()
    assert kills >= 5
    assert main(command(many, tiny_bundle, out)) == 0
    assert parquet.read_table(out).equals(parquet.read_table(whole)), "to the last bit"
    assert not work_folder(out).exists()


@pytest.mark.slow
def test_ctrl_c_ends_it_cleanly_and_says_how_to_go_on(many: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.parquet"
    running = process(command(many, tiny_bundle, out))
    wait_for_shards(out, 2, running)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "stopped: " in told
    assert "of 240 photos are safe; the same command, without --restart, goes on from there" in told
    assert "Traceback" not in told
    assert not list(work_folder(out).rglob("*.part")), "no draft is left"
    assert main(command(many, tiny_bundle, out)) == 0
    assert parquet.read_metadata(out).num_rows == 240


def test_files_that_come_and_go_after_the_beginning(photos: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    """The photos are those found when the job began: a new one is not in it, one that went has its row, refused."""
    out = tmp_path / "p.parquet"
    assert main(command(photos, tiny_bundle, out)) == 0
    names = parquet.read_table(out)["path"].to_pylist()
    out.unlink()
    begun = stopped_after(1, photos, tiny_bundle, out)
    (photos / "new.png").write_bytes(picture_bytes("red"))
    (photos / names[-1]).unlink()
    assert begun == 1
    assert main(command(photos, tiny_bundle, out)) == 0
    found = parquet.read_table(out)
    assert found["path"].to_pylist() == names
    assert found["reason"].to_pylist()[-1] == "missing"


def test_other_settings_are_refused_by_name(
    photos: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.parquet"
    stopped_after(2, photos, tiny_bundle, out)
    assert "No space left on device; 16 of 23 photos are safe; the same command" in capsys.readouterr().err
    assert main(command(photos, tiny_bundle, out, "--top-k", "1", "--candidates", "seen")) == 2
    told = capsys.readouterr().err
    assert "candidates: 'all' then, 'seen' now; top_k: 3 then, 1 now" in told
    assert "--restart" in told
    assert main(command(photos, tiny_bundle, out, "--top-k", "1", "--restart")) == 0
    assert main(command(photos, tiny_bundle, out, "--top-k", "1")) == 0, "a finished job is finished"
    assert capsys.readouterr().out.endswith("is finished already; nothing was done\n")
    assert main(command(photos, tiny_bundle, out)) == 2
    assert "was made for other settings: top_k: 1 then, 3 now" in capsys.readouterr().err
    assert {len(p) for p in parquet.read_table(out)["predictions"].to_pylist() if p} == {1}


def test_other_photos_bundles_and_classes_are_refused(
    photos: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, other = tmp_path / "p.parquet", tmp_path / "other"
    shutil.copytree(tiny_bundle, other)
    manifest = other / "manifest.json"
    manifest.write_text(manifest.read_text().replace("tiny", "tiny-2", 1))
    (tmp_path / "c.jsonl").write_text('{"id": "b", "label": "B", "attributes": {"wing color: blue": 1}}\n')
    stopped_after(1, photos, tiny_bundle, out)
    for words, name in (
        (command(photos / "b", tiny_bundle, out), "photos"),
        (command(photos, other, out), "bundle"),
        (command(photos, tiny_bundle, out, "--classes", str(tmp_path / "c.jsonl")), "classes"),
    ):
        capsys.readouterr()
        assert main(words) == 2
        assert f"{name}: '" in capsys.readouterr().err
    assert shards(out) == 1, "what is done stays"


def test_a_file_of_somebody_else_is_never_replaced(
    photos: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.parquet"
    out.write_text("mine")
    for more in ((), ("--restart",)):
        assert main(command(photos, tiny_bundle, out, *more)) == 2
        assert "was not made by `duet bulk`" in capsys.readouterr().err
        assert out.read_text() == "mine"


def test_two_processes_do_not_work_on_one_file(
    photos: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.parquet"
    with locked(out):
        assert main(command(photos, tiny_bundle, out)) == 2
    assert "another process works on" in capsys.readouterr().err


def test_a_broken_shard_is_done_again(photos: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.parquet"
    stopped_after(2, photos, tiny_bundle, out)
    first = work_folder(out) / "shards" / "000000.parquet"
    first.write_bytes(first.read_bytes()[:100])
    assert main(command(photos, tiny_bundle, out)) == 0
    assert parquet.read_table(out)["row"].to_pylist() == list(range(23))


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_half_written(photos: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    """A limit on the size of files is to a process what a full disk is; at each size another write fails."""
    out = tmp_path / "p.parquet"
    words = command(photos, tiny_bundle, out, "--attributes")
    for size in (100, 1_000, 9_000):
        code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size})); "
        code += f"from duet_core.cli import main; raise SystemExit(main({words!r}))"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 2, (size, done)
        assert "File too large" in done.stderr
        assert "Traceback" not in done.stderr
        assert not list(tmp_path.rglob("*.part"))
        assert not out.exists()
    assert main(words) == 0
    assert parquet.read_metadata(out).num_rows == 23
