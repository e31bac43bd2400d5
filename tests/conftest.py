"""Fixtures shared by every test: where the benchmark data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of benchmark data (CUB127, xlsa17, …); skips the test, saying why, where it is missing."""
    folder = Path(os.environ.get("DUET_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "CUB127" / "att_splits.mat").is_file():
        pytest.skip(f"no benchmark data at {folder.name}/CUB127: set DUET_DATA to the folder that holds it")
    return folder
