"""What the benchmarks say of the machine, and what they read of its processes."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.serving.machine import busy_seconds, describe, in_words, processor_seconds, resident_mb


def test_the_machine_is_named_without_a_host_or_a_path() -> None:
    told = describe("numpy")
    assert told["cores"] >= 1
    assert set(told) == {"cores", "processor", "memory_gb", "python", "onnxruntime", "numpy"}
    assert "/" not in in_words(told)


def test_processor_time_and_memory_are_those_of_a_whole_session() -> None:
    child = "import time; b = bytearray(50_000_000); t = time.process_time()\n"
    child += "while time.process_time() < t + 0.2: pass\nprint(1, flush=True); input()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    before = busy_seconds()
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    used, resident = processor_seconds(process.pid), resident_mb(process.pid)
    process.communicate(b"\n")
    assert used >= 0.2
    assert resident >= 50
    assert busy_seconds() - before >= 0.2
