"""Settings: read from the environment, refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.metrics import Metrics
from app.service import build_service
from app.settings import Settings
from duet_core.runtime import ProviderError


def test_every_setting_is_documented_and_has_a_default() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert not field.is_required(), name


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUET_BUNDLE", "elsewhere")
    monkeypatch.setenv("DUET_STORE", "redis://cache:6379/0")
    monkeypatch.setenv("DUET_CORS_ORIGINS", '["https://birds.example"]')
    settings = Settings()
    assert (settings.bundle, settings.store) == (Path("elsewhere"), "redis://cache:6379/0")
    assert settings.cors_origins == ("https://birds.example",)


PASSWORDS = ("postgres://u:secret@h/d", "redis:/u:secret@h", "u:secret@h")


@pytest.mark.parametrize("store", ["", "sqlite://", "sqlite:///", "file.sqlite", "redis://", *PASSWORDS])
def test_stores_we_do_not_have(store: str) -> None:
    with pytest.raises(ValidationError, match="allowed are 'sqlite:") as caught:
        Settings(store=store)
    assert "secret" not in str(caught.value)  # what is printed


def test_contradictions() -> None:
    with pytest.raises(ValidationError, match="DUET_MAX_BATCH 16 exceeds DUET_QUEUE_IMAGES 4"):
        Settings(queue_images=4)
    with pytest.raises(ValidationError):
        Settings(max_aspect=0.5)


def test_a_gpu_that_is_asked_for_and_missing_is_not_replaced_by_the_cpu(tiny_bundle: Path, tmp_path: Path) -> None:
    settings = Settings(bundle=tiny_bundle, device="cuda", store=f"sqlite:///{tmp_path}/c.sqlite")
    with pytest.raises(ProviderError, match="CUDAExecutionProvider"):
        build_service(settings, Metrics())
