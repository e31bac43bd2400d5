"""GET /model says how the model is run: what the settings asked for, as its session tells it."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from app.engine.setup import batching_of, describe_batching
from app.main import create_app
from app.settings import Settings


def test_the_model_says_how_it_is_run(tiny_bundle: Path, tmp_path: Path) -> None:
    settings = Settings(bundle=tiny_bundle, store=f"sqlite:///{tmp_path}/classes.sqlite", snapshots=None, threads=3)
    with TestClient(create_app(settings)) as client:
        runtime = client.get("/model").raise_for_status().json()["runtime"]
    assert runtime["threads"] == {"value": 3, "why": "asked for"}
    assert runtime["provider"]["value"] == "CPUExecutionProvider"
    assert runtime["spinning"]["value"] is False
    assert runtime["precision"]["value"] == "float32"
    assert runtime["max_batch"]["value"] == 16
    assert runtime["max_delay"]["value"] == "0 ms"
    assert runtime["padded_batches"] == {"value": False, "why": "black rows are work for nothing on a CPU"}
    assert runtime["onnxruntime"]["value"] == onnxruntime.__version__


def test_batches_are_padded_on_a_gpu_unless_told_otherwise() -> None:
    assert batching_of(Settings(device="cuda", max_batch=4)).padded
    assert not batching_of(Settings(device="cuda", pad_batches=False)).padded
    asked = batching_of(Settings(pad_batches=True, max_batch=12, max_delay_ms=1.5))
    assert describe_batching(asked)["padded_batches"].why == "few shapes for a GPU: 1, 2, 4, 8, 12"
    assert describe_batching(asked)["max_delay"].value == "1.5 ms"


def test_a_limit_of_gpu_memory_needs_a_gpu() -> None:
    with pytest.raises(ValidationError, match="set DUET_DEVICE=cuda too"):
        Settings(gpu_memory_mb=512)
    assert Settings(gpu_memory_mb=512, device="cuda").gpu_memory_mb == 512
