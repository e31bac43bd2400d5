"""A recipe whose folder is not there says so, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from duet_core.benchmarks.benchmark import BenchmarkError
from duet_core.benchmarks.opening import open_benchmark
from duet_core.config import DataConfig


@pytest.mark.parametrize("layout", ["xlsa17", "folder"])
def test_a_folder_that_is_not_there_is_named_alone(tmp_path: Path, layout: Literal["xlsa17", "folder"]) -> None:
    with pytest.raises(BenchmarkError, match="no such folder") as caught:
        open_benchmark(DataConfig(root=str(tmp_path / "no"), layout=layout))
    assert len(caught.value.problems) == 1
    assert "data.root" in str(caught.value)
