"""GET /model says how the model is run: what the settings asked for, as its session tells it."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

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
    assert runtime["onnxruntime"]["value"] == onnxruntime.__version__


def test_a_limit_of_gpu_memory_needs_a_gpu() -> None:
    with pytest.raises(ValidationError, match="set DUET_DEVICE=cuda too"):
        Settings(gpu_memory_mb=512)
    assert Settings(gpu_memory_mb=512, device="cuda").gpu_memory_mb == 512
