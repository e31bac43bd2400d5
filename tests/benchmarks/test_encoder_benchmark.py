"""The benchmark of the encoder: calls timed in turn, rows beside the unfolded model, a picture with words for it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks._machine import in_turn, machine
from benchmarks._models import Contender
from benchmarks.encoder import line, measure, picture
from tests.tiny_bundle import write_tiny_bundle


def test_calls_take_turns_and_the_first_rounds_do_not_count() -> None:
    order: list[str] = []
    slow = iter([0.05, 0.0, 0.0])  # only the round for warming up is slow

    def first() -> None:
        order.append("a")
        time.sleep(next(slow))

    found = in_turn({"a": first, "b": lambda: order.append("b")}, rounds=2, warm=1)
    assert order == ["a", "b"] * 3
    assert found["a"].least <= found["a"].median < 50
    assert found["b"].processor >= 0


def test_rows_compare_every_file_with_the_unfolded_model(tmp_path: Path) -> None:
    sizes: list[int] = []

    def unfolded(pixels: torch.Tensor) -> torch.Tensor:
        sizes.append(len(pixels))
        return torch.from_numpy(np.linalg.svd(np.ones((120, 120)))[1])  # work enough to be the slower one

    file = write_tiny_bundle(tmp_path / "tiny") / "vision.onnx"
    contender = Contender(name="tiny", size=32, unfolded=unfolded, files={"folded, float32": file})
    rows = measure(contender, batch=3, rounds=3, threads=1)
    assert [row["way"] for row in rows] == ["torch, not folded", "folded, float32"]
    assert set(sizes) == {3}
    assert rows[0]["ratio"] == 1
    assert rows[1]["ratio_of_least"] == pytest.approx(rows[0]["least_ms_an_image"] / rows[1]["least_ms_an_image"])
    assert line(rows[1]).startswith("| tiny | folded, float32 | 3 | ")
    drawn = picture([row | {"batch": 1} for row in rows])
    assert "tiny: folded, float32" in drawn.alt
    assert "<svg" in drawn.svg


def test_the_machine_is_told_by_processor_threads_and_instructions() -> None:
    said = machine(1)
    assert ", 1 thread, " in said
    assert "/" not in said.split(",")[0]
