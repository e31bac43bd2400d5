"""Each benchmark of serving runs from end to end on a few photos, and its section can be made of what it writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report.page import SECTIONS
from benchmarks.serving import results
from benchmarks.serving.bare import LOOPS
from benchmarks.serving.servers import DUET, OTHERS

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def measured(folder: Path, name: str, *arguments: str) -> dict[str, Any]:
    """What a benchmark writes; its section and pictures must come of it."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments, "--out", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = results.load(name, folder)
    assert result is not None
    assert SECTIONS[name].markdown(result)
    assert SECTIONS[name].pictures(result)
    return result


def test_load_measures_every_system(tmp_path: Path) -> None:
    quick = ("--rounds", "1", "--seconds", "2", "--open-seconds", "2", "--photos", "2", "--clients", "1", "2")
    found = measured(tmp_path, "load", *quick)
    assert [entry["loop"] for entry in found["bare"]] == list(LOOPS)
    assert all(entry["a_second"] > 0 and 0 <= entry["others"] <= 1 for entry in found["bare"] + found["closed"])
    names = [DUET.name, *(system.name for system in OTHERS)]
    assert list(dict.fromkeys(entry["system"] for entry in found["closed"])) == names
    assert all(entry["statuses"].keys() == {"200"} for entry in found["closed"])
    assert [entry["load"] for entry in found["open"] if entry["system"] == DUET.name] == [0.5, 0.8, 1.0, 1.5]


def test_memory_counts_every_photo(tmp_path: Path) -> None:
    found = measured(tmp_path, "memory", "--requests", "120", "--photos", "12", "--minutes", "3")
    assert found["requests"][-1] >= 120
    assert sum(found["statuses"].values()) == found["requests"][-1]
    assert found["statuses"].keys() == {"200", "415", "422"}  # whole, no photo, cut short
    assert 0 < found["resident_mb"][0] <= found["peak_mb"]


def test_registry_measures_every_size(tmp_path: Path) -> None:
    found = measured(tmp_path, "registry", "20", "40", "--store", "sqlite")
    assert [row["classes"] for row in found["rows"]] == [20, 40]
